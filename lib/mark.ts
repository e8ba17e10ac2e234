import type { OffHeapBuffer } from './heap-types';

/** How much of a region there was. */
export interface Place {
  /** Resets before. */
  readonly resets: number;
  /** Chunks, and the last of them. */
  readonly chunks: number;
  readonly last: OffHeapBuffer | undefined;
  /** Bytes of the chunks, and bytes handed out. */
  readonly bytes: number;
  readonly used: number;
}

/**
 * A place in a region that it can be rewound to.
 *
 * @example
 * ```ts
 * import { Region, type RegionMark } from 'miheap';
 *
 * using region = new Region();
 * const mark: RegionMark = region.mark();
 * region.alloc(100);
 * region.rewind(mark);
 * console.log(region.stats().bytes); // 0
 * ```
 */
export class RegionMark {
  readonly #region: object;
  readonly #place: Place;

  private constructor(region: object, place: Place) {
    this.#region = region;
    this.#place = place;
  }

  /** @internal */
  static at(region: object, place: Place): RegionMark {
    return new RegionMark(region, place);
  }

  /** @internal The place, if `mark` is one of `region`. */
  static placeIn(region: object, mark: RegionMark): Place | undefined {
    return mark.#region === region ? mark.#place : undefined;
  }

  /** @internal */
  static is(value: unknown): value is RegionMark {
    return typeof value === 'object' && value !== null && #place in value;
  }
}
