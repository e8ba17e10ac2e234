import type { OffHeapBuffer } from './heap-types';

/** What a region had when a mark was made. */
export interface Place {
  /** How often it had been reset. */
  readonly resets: number;
  /** How many chunks it had. */
  readonly chunks: number;
  /** The last of these chunks. */
  readonly last: OffHeapBuffer | undefined;
  /** Bytes of these chunks. */
  readonly bytes: number;
  /** Bytes handed out. */
  readonly used: number;
}

/**
 * A place in a region. `region.rewind` goes back to it.
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

  /** @internal The place of `mark`; undefined if that is of another region. */
  static placeIn(region: object, mark: RegionMark): Place | undefined {
    return mark.#region === region ? mark.#place : undefined;
  }

  /** @internal */
  static is(value: unknown): value is RegionMark {
    return typeof value === 'object' && value !== null && #place in value;
  }
}
