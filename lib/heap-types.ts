/// <reference types="node" preserve="true" />

/**
 * A Buffer over an ArrayBuffer, as `Buffer.alloc` makes it. Where the types of Node tell it from one over a
 * SharedArrayBuffer, it goes where only the first may go: to `Blob`, `fetch` and `crypto.subtle`.
 */
export type OffHeapBuffer = ReturnType<typeof Buffer.alloc>;

/** What `new Heap` takes. */
export interface HeapOptions {
  /** Shown in statistics, errors and diagnostics. Default: none, which is ''. */
  name?: string | undefined;
  /** The most bytes, as asked for, that may be held at one time. Default: no limit. */
  limit?: number | undefined;
  /** What `align` of a single block is, unless it is given there. Default: the natural alignment. */
  align?: number | undefined;
}

/** What every way to allocate a block takes. */
export interface AllocOptions {
  /**
   * The address is a multiple of this power of two, from 1 to 2 ** 30. Default: that of the heap, or
   * the natural alignment, which is 16, or 8 below 16 bytes.
   */
  align?: number | undefined;
}

/** What `heap.allocFrom` takes. */
export interface AllocFromOptions extends AllocOptions {
  /** How a string becomes bytes. Default: 'utf8'. */
  encoding?: BufferEncoding | undefined;
}

/** What a heap holds. Bytes are counted as asked for, without what the allocator rounds up. */
export interface HeapStats {
  /** The heap's name; empty if it has none. */
  name: string;
  /** Bytes held now. */
  bytes: number;
  /** The most bytes that were held at one time. */
  peakBytes: number;
  /** The most bytes that may be held, or Infinity. */
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
  /** The largest size of the class, in bytes. */
  upTo: number;
  /** Blocks held now. */
  blocks: number;
  /** Their bytes, as asked for. */
  bytes: number;
}

/**
 * An ArrayBuffer, or any view of one. TypeScript cannot tell the ArrayBuffer that `buffer.buffer` is from a
 * SharedArrayBuffer; that is an {@link InvalidTypeError}.
 */
export type BufferLike = ArrayBufferLike | NodeJS.ArrayBufferView;

/** Float64Array, Uint8Array, and so on, or a class derived from one; not Buffer. */
export interface TypedArrayConstructor<T> {
  /** The size of an element. */
  readonly BYTES_PER_ELEMENT: number;
  /** Makes a view of `length` elements. */
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
}
