/// <reference types="node" preserve="true" />

export interface HeapOptions {
  /** Shown in statistics, errors and diagnostics. Default: none, which is ''. */
  name?: string;
  /** The most bytes, as asked for, that may be held at one time. Default: no limit. */
  limit?: number;
  /** What `align` of a single block is, unless it is given there. Default: the natural alignment. */
  align?: number;
}

export interface AllocOptions {
  /**
   * The address is a multiple of this power of two, from 1 to 2 ** 30. Default: that of the heap, or
   * the natural alignment, which is 16, or 8 below 16 bytes.
   */
  align?: number;
}

export interface AllocFromOptions extends AllocOptions {
  /** How a string becomes bytes. Default: 'utf8'. */
  encoding?: BufferEncoding;
}

/** Bytes are counted as asked for, without what the allocator rounds up. */
export interface HeapStats {
  name: string;
  /** Bytes held now, the most that ever were, and the most that may be (or Infinity). */
  bytes: number;
  peakBytes: number;
  limit: number;
  /** Blocks held now. A buffer of no bytes takes no block. */
  blocks: number;
  /** Blocks handed out since the heap was made. */
  allocated: number;
  /** How many of these were given back by the garbage collector instead of `free`. */
  collected: number;
  /** What is held now by size, small ones first; classes without a block are left out. */
  sizeClasses: SizeClassStats[];
}

/** The blocks of at most `upTo` bytes, and more than the class before has: an eighth less, or 16. */
export interface SizeClassStats {
  upTo: number;
  blocks: number;
  bytes: number;
}

/** An ArrayBuffer, or any view of one. */
export type BufferLike = ArrayBuffer | NodeJS.ArrayBufferView;

/** Float64Array, Uint8Array, and so on. */
export interface TypedArrayConstructor<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
}
