/// <reference types="node" preserve="true" />

/**
 * A Buffer over an ArrayBuffer, of the type that `Buffer.alloc` returns. Newer types of Node tell it from one
 * over a SharedArrayBuffer, which `Blob`, `fetch` and `crypto.subtle` do not take.
 */
export type OffHeapBuffer = ReturnType<typeof Buffer.alloc>;

/** Options of `new Heap`. */
export interface HeapOptions {
  /** The heap's name in statistics, errors and diagnostics. Default: ''. */
  name?: string | undefined;
  /**
   * The most bytes, as asked for, that may be held at one time: an integer from 0 to 2 ** 53 - 1.
   * Default: no limit.
   */
  limit?: number | undefined;
  /**
   * What the address of each block is a multiple of, unless its own options say otherwise: a power of two
   * from 1 to 2 ** 30. Default: the natural alignment.
   */
  align?: number | undefined;
}

/** Options of every method that allocates a block. */
export interface AllocOptions {
  /**
   * What the address is a multiple of: a power of two from 1 to 2 ** 30. Default: that of the heap, or else
   * the natural alignment, which is 16, and 8 for a size below 16 bytes.
   */
  align?: number | undefined;
}

/** Options of `heap.allocFrom`. */
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
  /** Blocks that the garbage collector gave back instead of `free`. */
  collected: number;
  /** What is held now, by size class, smallest first. Classes without a block are left out. */
  sizeClasses: SizeClassStats[];
}

/**
 * The blocks of one size class: of at most `upTo` bytes, and too large for the class before. Classes are 16
 * bytes wide up to 128 bytes; from there, each doubling has eight.
 */
export interface SizeClassStats {
  /** The largest size of the class, in bytes. */
  upTo: number;
  /** Blocks held now. */
  blocks: number;
  /** Bytes of these blocks, as asked for. */
  bytes: number;
}

/**
 * An ArrayBuffer, or any view of one. The type lets a SharedArrayBuffer pass, since TypeScript cannot tell
 * whether `buffer.buffer` is one; the call then throws an {@link InvalidTypeError}.
 */
export type BufferLike = ArrayBufferLike | NodeJS.ArrayBufferView;

/** Float64Array, Uint8Array, and so on, or a class derived from one; not Buffer. */
export interface TypedArrayConstructor<T> {
  /** The size of an element. */
  readonly BYTES_PER_ELEMENT: number;
  /** Makes a view of `length` elements. */
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
}
