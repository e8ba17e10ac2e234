import type { InspectOptions } from 'node:util';
import { dispose } from './dispose';
import {
  HeapDestroyedError,
  InvalidTypeError,
  NotOwnedError,
  RegionDestroyedError,
  StaleMarkError,
} from './errors';
import { freeOrLeave } from './free-or-leave';
import { Heap } from './heap';
import type { OffHeapBuffer, TypedArrayConstructor } from './heap-types';
import { inspect, shownAs } from './inspect';
import { regionLimitReached } from './limit';
import { type Place, RegionMark } from './mark';
import { native } from './native';
import type { RegionOptions, RegionStats } from './region-types';
import { checkStack } from './stack';
import {
  checkAlign,
  checkInteger,
  checkLimit,
  checkOptions,
  checkSize,
  checkString,
  elementSizeOf,
  isUsable,
  NO_OPTIONS,
} from './validate';
import { BufferView, memoryOf, setBytes } from './views';

const CHUNK = 256 * 1024;
/** Chunks are cleared as they are used, this much at a time, which is then still in the cache. */
const CLEARED = 16 * 1024;
const MAX_CHUNK = 2 ** 30;
/** Every buffer begins at a multiple of this, as any typed array must. */
const GRAIN = 8;
/** What every chunk is aligned to. V8 promises no more than GRAIN. */
const CHUNK_ALIGN = native.external ? 64 : GRAIN;
const NOTHING = Buffer.alloc(0);

let commonHeap: Heap | undefined;

/**
 * Buffers that die together. Any number of allocations, one release: `reset`, `destroy` or the end of the
 * scope frees all memory at once, and detaches it: every view has length 0 from then on.
 *
 * Buffers are cut from chunks, one behind the other, which takes less time than `Buffer.allocUnsafe` does.
 * All memory is zero. As with Node's own small Buffers, `buffer.buffer` shows the whole chunk: give away
 * `buffer`, not `buffer.buffer`. A chunk that is transferred, or moved by `ArrayBuffer.prototype.transfer`,
 * takes all buffers in it along, and the garbage collector frees it, not the region. A chunk that is
 * immutable, or the heap of an asm.js module, cannot be detached: it stays, with its buffers, until the
 * garbage collector finds it.
 *
 * Do not release a region while a pending operation (`fs.read`, a stream, `crypto`) still uses a buffer of
 * it. If a region is dropped, its memory comes back once the garbage collector has found it and all its
 * buffers.
 *
 * A region belongs to the thread that made it. When that thread ends, its buffers end with it.
 *
 * Every method but `destroy` and `[Symbol.dispose]` throws {@link RegionDestroyedError} once the region
 * was destroyed. A call that throws has changed nothing.
 *
 * @example
 * ```ts
 * import { Region } from 'miheap';
 *
 * let kept: Buffer;
 * {
 *   using region = new Region();
 *   const header = region.alloc(24);
 *   const samples = region.allocTyped(Float64Array, 1000);
 *   kept = header;
 *   console.log(header.length + samples.byteLength); // 8024
 * }
 * console.log(kept.length); // 0
 * ```
 */
export class Region {
  readonly #name: string;
  readonly #chunkSize: number;
  readonly #limit: number;
  #heap: Heap | undefined;
  readonly #chunks: OffHeapBuffer[] = [];
  #bytes = 0;
  #resets = 0;
  /** The chunk that buffers are cut from, or NOTHING. It is free from `#offset` on, where `#clear` bytes are zero. */
  #current: OffHeapBuffer = NOTHING;
  #memory = memoryOf(NOTHING);
  #offset = 0;
  #clear = 0;
  /** Bytes handed out from all chunks but the current one. */
  #usedElsewhere = 0;

  /**
   * @throws {@link InvalidTypeError} or {@link OutOfRangeError} if an option is wrong;
   *   {@link HeapDestroyedError} if `heap` was destroyed; {@link OutOfMemoryError}.
   */
  constructor(options: RegionOptions = NO_OPTIONS) {
    checkOptions(options);
    const { name = '', chunkSize = CHUNK, limit = Number.POSITIVE_INFINITY, heap } = options;
    checkString('name', name);
    checkInteger('chunkSize', chunkSize, 1, MAX_CHUNK);
    checkLimit(limit);
    if (heap !== undefined && !(heap instanceof Heap && isUsable(heap))) {
      throw new InvalidTypeError('heap', 'a Heap of this copy of miheap', heap);
    }
    if (heap?.destroyed) throw new HeapDestroyedError(heap.name);
    this.#name = name;
    this.#chunkSize = roundUp(chunkSize);
    this.#limit = limit;
    commonHeap ??= new Heap();
    this.#heap = heap ?? commonHeap;
  }

  /** The name it was made with, or ''. */
  get name(): string {
    return this.#name;
  }

  /** Bytes of a chunk. */
  get chunkSize(): number {
    return this.#chunkSize;
  }

  /** The most bytes that the chunks may have together, or Infinity. */
  get limit(): number {
    return this.#limit;
  }

  /** Whether `destroy` was called. */
  get destroyed(): boolean {
    return this.#heap === undefined;
  }

  /**
   * A Buffer of `size` bytes, all zero.
   *
   * @param size From 0 to `buffer.constants.MAX_LENGTH` bytes.
   * @param align The address is a multiple of this power of two, from 1 to 2 ** 30. Above 64, the buffer gets
   *   a chunk of its own. Default: 8.
   * @throws {@link InvalidTypeError}, {@link InvalidValueError} or {@link OutOfRangeError} if an argument
   *   is wrong; {@link RegionLimitError}; {@link HeapLimitError} of `heap`; {@link OutOfMemoryError};
   *   {@link AlignmentUnavailableError} where V8 owns the memory and it is not aligned as asked.
   *
   * @example
   * ```ts
   * import { Region } from 'miheap';
   *
   * using region = new Region();
   * const page = region.alloc(4096, 4096);
   * console.log(page.length, page[0]); // 4096 0
   * ```
   */
  alloc(size: number, align?: number): OffHeapBuffer {
    if (
      align === undefined &&
      typeof size === 'number' &&
      (size | 0) === size &&
      size > 0 &&
      size <= this.#clear &&
      this.#current.length !== 0
    ) {
      return new BufferView(this.#memory, this.#cut(size), size);
    }
    return this.#alloc(size, align);
  }

  /**
   * A typed array of `length` elements, all zero.
   *
   * @param type Float64Array, Uint8Array, and so on, or a class derived from one; not Buffer.
   * @param length How many elements; their bytes must be a size that `alloc` takes.
   * @throws As `alloc` does; and what the constructor of a derived class throws: the elements are taken then.
   *
   * @example
   * ```ts
   * import { Region } from 'miheap';
   *
   * using region = new Region();
   * const samples = region.allocTyped(Float64Array, 1000);
   * console.log(samples.length, samples[999]); // 1000 0
   * ```
   */
  allocTyped<T>(type: TypedArrayConstructor<T>, length: number): T {
    const elementSize = elementSizeOf(type);
    checkSize('length', length);
    const size = length * elementSize;
    checkSize('size', size);
    const [memory, offset] = this.#claim(size, elementSize);
    return new type(memory, offset, length);
  }

  /**
   * Remembers this place, so that `rewind` can go back to it. Buffers allocated after a mark share no chunk
   * with earlier ones, so each mark that an allocation follows costs a chunk.
   *
   * @example
   * ```ts
   * import { Region } from 'miheap';
   *
   * using region = new Region();
   * const result = region.alloc(1000);
   * const mark = region.mark();
   * for (let i = 0; i < 10; i++) {
   *   region.alloc(5000).copy(result);
   *   region.rewind(mark);
   * }
   * console.log(result.length, region.stats().used); // 1000 1000
   * ```
   */
  mark(): RegionMark {
    this.#live();
    const mark = RegionMark.at(this, {
      resets: this.#resets,
      chunks: this.#chunks.length,
      last: this.#chunks.at(-1),
      bytes: this.#bytes,
      used: this.#usedElsewhere + this.#offset,
    });
    this.#cutFrom(NOTHING);
    return mark;
  }

  /**
   * Frees and detaches the buffers that were allocated since `mark` was made. Earlier buffers stay. A region
   * can be rewound to one mark again and again. Marks made after it become stale, if anything was allocated
   * in between.
   *
   * @throws {@link InvalidTypeError} if `mark` is no mark; {@link NotOwnedError} if it is one of another
   *   region; {@link StaleMarkError} if the region was reset since, or rewound to an earlier mark.
   *
   * @example
   * ```ts
   * import { Region } from 'miheap';
   *
   * using region = new Region();
   * const before = region.alloc(100);
   * const mark = region.mark();
   * const after = region.alloc(100);
   * region.rewind(mark);
   * console.log(before.length, after.length); // 100 0
   * ```
   */
  rewind(mark: RegionMark): void {
    if (!RegionMark.is(mark)) throw new InvalidTypeError('mark', 'a mark of the region', mark);
    this.#live();
    const place = RegionMark.placeIn(this, mark);
    if (place === undefined) throw new NotOwnedError('the mark is from another region');
    if (place.resets !== this.#resets || place.last !== this.#chunks[place.chunks - 1]) {
      throw new StaleMarkError(this.#name);
    }
    checkStack();
    this.#releaseAfter(place);
  }

  /**
   * Frees and detaches all buffers. The region can be used again. No pending operation may use a buffer of
   * it.
   *
   * @example
   * ```ts
   * import { Region } from 'miheap';
   *
   * using region = new Region();
   * const buffer = region.alloc(1000);
   * region.reset();
   * console.log(buffer.length, region.stats().bytes); // 0 0
   * ```
   */
  reset(): void {
    this.#live();
    checkStack();
    this.#resets++;
    this.#releaseAfter({ resets: this.#resets, chunks: 0, last: undefined, bytes: 0, used: 0 });
  }

  /**
   * What the region holds.
   *
   * @example
   * ```ts
   * import { Region } from 'miheap';
   *
   * using region = new Region({ chunkSize: 4096 });
   * region.alloc(100);
   * region.alloc(10_000);
   * console.log(region.stats()); // { bytes: 14096, used: 10104, chunks: 2 }
   * ```
   */
  stats(): RegionStats {
    this.#live();
    // The last buffer of a chunk, rounded up, may reach past the end of the chunk.
    const used = Math.min(this.#usedElsewhere + this.#offset, this.#bytes);
    return { bytes: this.#bytes, used, chunks: this.#chunks.length };
  }

  /**
   * Like `reset`, but the region cannot be used again. On a destroyed region, does nothing.
   *
   * @example
   * ```ts
   * import { Region } from 'miheap';
   *
   * const region = new Region();
   * const buffer = region.alloc(1000);
   * region.destroy();
   * console.log(buffer.length); // 0
   * ```
   */
  destroy(): void {
    if (this.#heap === undefined) return;
    this.reset();
    this.#heap = undefined;
  }

  /** Calls `destroy`, at the end of the scope of `using region = new Region()`. */
  [dispose](): void {
    this.destroy();
  }

  /** What `util.inspect` and `console.log` show: options and `stats()`, or that it was destroyed. */
  [inspect](depth: number, options: InspectOptions): string {
    if (!(#name in this)) return '[Region]'; // a proxy
    const state = this.destroyed ? { destroyed: true } : this.stats();
    const fields = { name: this.#name, chunkSize: this.#chunkSize, limit: this.#limit, ...state };
    return shownAs(this, fields, depth, options);
  }

  #live(): Heap {
    if (this.#heap === undefined) throw new RegionDestroyedError(this.#name);
    return this.#heap;
  }

  #alloc(size: number, align = GRAIN): OffHeapBuffer {
    checkSize('size', size);
    checkAlign(align);
    const [memory, offset] = this.#claim(size, align);
    return new BufferView(memory, offset, size);
  }

  /** Takes `size` bytes, all zero: the memory that they are in, and where they begin. */
  #claim(size: number, align: number): [ArrayBuffer, number] {
    const heap = this.#live();
    if (size === 0) return [new ArrayBuffer(0), 0];
    const skipped = -this.#offset & (align - 1);
    const room = this.#current.length - this.#offset;
    if (align <= CHUNK_ALIGN && skipped + size <= room) {
      this.#cut(skipped);
      return this.#cutClear(size);
    }
    const allowed = this.#limit - this.#bytes;
    if (size > allowed) throw regionLimitReached(this.#name, this.#limit, size, this.#bytes);
    if (size > this.#chunkSize || align > CHUNK_ALIGN) {
      return this.#useUp(heap.alloc(size, { align: Math.max(align, GRAIN) }), size);
    }
    const length = Math.max(size, Math.min(this.#chunkSize, allowed));
    const chunk = heap.allocUnsafe(length, { align: CHUNK_ALIGN });
    // Of the two chunks, buffers are then cut from the one that has more room.
    if (length - size <= room) {
      setBytes(chunk, 0, 0, size);
      return this.#useUp(chunk, size);
    }
    this.#add(chunk);
    this.#cutFrom(chunk);
    return this.#cutClear(size);
  }

  #add(chunk: OffHeapBuffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** Adds a chunk of which only the first `size` bytes are ever used. */
  #useUp(chunk: OffHeapBuffer, size: number): [ArrayBuffer, number] {
    this.#add(chunk);
    this.#usedElsewhere += roundUp(size);
    return [memoryOf(chunk), 0];
  }

  /** Cuts from `chunk` from now on. No byte of it is used or clear. */
  #cutFrom(chunk: OffHeapBuffer): void {
    this.#usedElsewhere += this.#offset;
    this.#current = chunk;
    this.#memory = memoryOf(chunk);
    this.#offset = 0;
    this.#clear = 0;
  }

  /** Like `#cut`, but clears the bytes first if they are not clear yet. The chunk must have room. */
  #cutClear(size: number): [ArrayBuffer, number] {
    if (size > this.#clear) {
      const clear = this.#offset + this.#clear;
      const wanted = Math.max(this.#offset + roundUp(size), clear + CLEARED);
      const end = Math.min(wanted, this.#current.length);
      setBytes(this.#current, 0, clear, end);
      this.#clear = end - this.#offset;
    }
    return [this.#memory, this.#cut(size)];
  }

  /** Takes `size` bytes, rounded up, of the current chunk; returns where they begin. */
  #cut(size: number): number {
    const offset = this.#offset;
    const taken = (size + GRAIN - 1) & -GRAIN;
    this.#offset = offset + taken;
    this.#clear -= taken;
    return offset;
  }

  #releaseAfter(place: Place): void {
    const heap = this.#live();
    const chunks = this.#chunks.splice(place.chunks);
    this.#bytes = place.bytes;
    this.#cutFrom(NOTHING);
    this.#usedElsewhere = place.used;
    for (const chunk of chunks) {
      // The other chunks are gone already: transferred, moved, or freed through the heap.
      if (chunk.length !== 0 && !heap.destroyed) freeOrLeave(heap, chunk);
    }
  }
}

function roundUp(size: number): number {
  return Math.ceil(size / GRAIN) * GRAIN;
}
