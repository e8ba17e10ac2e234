/// <reference types="node" preserve="true" />

import { EmptyBuffers } from './empty';
import {
  AlignmentUnavailableError,
  AlreadyFreedError,
  HeapDestroyedError,
  HeapLimitError,
  InvalidTypeError,
  NotOwnedError,
  OutOfMemoryError,
} from './errors';
import { collectWhenIdle } from './idle';
import { type HeapHandle, native, Status } from './native';
import { transferable } from './transfer';
import {
  arrayBufferOf,
  checkAlign,
  checkBoolean,
  checkLimit,
  checkOptions,
  checkSize,
} from './validate';

export interface HeapOptions {
  /** The most bytes, as asked for, that may be held at one time. Default: no limit. */
  limit?: number;
}

export interface AllocOptions {
  /**
   * Whether the memory is cleared. Default: true. Without, it shows whatever the process last had
   * there, as `Buffer.allocUnsafe` does.
   */
  zero?: boolean;
  /** The address is a multiple of this power of two. Default: 16, or 8 below 16 bytes. */
  align?: number;
}

export interface ReallocOptions {
  /** Whether bytes beyond the old size are cleared. Default: true. */
  zero?: boolean;
}

export interface HeapStats {
  /** Bytes held now, as asked for, and the highest that was. */
  bytes: number;
  peakBytes: number;
  /** Blocks held now. A buffer of no bytes takes no block. */
  blocks: number;
  /** Blocks handed out since the heap was made. */
  allocated: number;
  /** How many of these were given back by the garbage collector instead of `free`. */
  collected: number;
}

/** Node before 18.18 has no `Symbol.dispose`; there, no code can ask for it either. */
const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol('Symbol.dispose');

/** An ArrayBuffer, or any view of one. */
export type BufferLike = ArrayBuffer | NodeJS.ArrayBufferView;

/** Float64Array, Uint8Array, and so on. */
export interface TypedArrayConstructor<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
}

/**
 * Buffers with their own lives, outside V8's heap. Each has an ArrayBuffer to itself. `free` gives
 * its memory back at once; one that is never freed comes back when the garbage collector finds it.
 *
 * A view stands for the whole block it shows: `free(buffer.subarray(3))` frees `buffer`.
 *
 * A heap belongs to the thread that made it. When that thread ends, its buffers end with it.
 *
 * Node 24 stops the process when a buffer given to `worker_threads.markAsUntransferable` is detached:
 * do not mark these. No thread can take them away as it is.
 */
export class Heap {
  /** The most bytes that may be held at one time, or Infinity. */
  readonly limit: number;
  #handle: HeapHandle | undefined;
  readonly #empty = new EmptyBuffers();

  constructor(options: HeapOptions = {}) {
    checkOptions(options);
    const { limit = Number.POSITIVE_INFINITY } = options;
    checkLimit(limit);
    this.limit = limit;
    const handle = native.newHeap(limit);
    if (typeof handle === 'number') throw new OutOfMemoryError('a new heap');
    this.#handle = handle;
  }

  /**
   * False where the runtime forbids external buffers (Electron): V8 then owns the memory, and only
   * small alignments can be had. Everything else stays the same.
   */
  get external(): boolean {
    return native.external;
  }

  get destroyed(): boolean {
    return this.#handle === undefined;
  }

  /** A Buffer of `size` bytes. */
  alloc(size: number, options?: AllocOptions): Buffer {
    return Buffer.from(this.allocArrayBuffer(size, options));
  }

  /** An ArrayBuffer of `size` bytes. */
  allocArrayBuffer(size: number, options?: AllocOptions): ArrayBuffer {
    checkSize('size', size);
    return this.#allocate(size, options);
  }

  /** An array of `length` elements: `allocTyped(Float64Array, 1000)`. */
  allocTyped<T>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T {
    if (typeof type !== 'function' || Object.getPrototypeOf(type)?.name !== 'TypedArray') {
      throw new InvalidTypeError('type', 'the constructor of a typed array', type);
    }
    checkSize('length', length);
    checkSize('size', length * type.BYTES_PER_ELEMENT);
    return new type(this.#allocate(length * type.BYTES_PER_ELEMENT, options), 0, length);
  }

  /**
   * Changes the size of a block, in place if it can. The contents up to the smaller size stay. The
   * old buffer and every view of it are detached; use the one returned, which is an ArrayBuffer if
   * an ArrayBuffer was given, else a Buffer. On failure the old one is untouched.
   */
  realloc(buffer: ArrayBuffer, newSize: number, options?: ReallocOptions): ArrayBuffer;
  realloc(buffer: BufferLike, newSize: number, options?: ReallocOptions): Buffer;
  realloc(buffer: BufferLike, newSize: number, options: ReallocOptions = {}): Buffer | ArrayBuffer {
    const old = arrayBufferOf(buffer);
    checkSize('newSize', newSize);
    checkOptions(options);
    const { zero = true } = options;
    checkBoolean('zero', zero);
    const handle = this.#live();
    const resized = this.#reallocate(handle, old, newSize, zero);
    return buffer === old ? resized : Buffer.from(resized);
  }

  /**
   * Gives the memory back now and detaches the buffer: every view of it has length 0 from here on.
   * Do not free a buffer that a pending operation (`fs.read`, a stream, `crypto`) still uses: the
   * system writes into that memory whoever owns it next.
   */
  free(buffer: BufferLike): void {
    const arrayBuffer = arrayBufferOf(buffer);
    const handle = this.#live();
    if (this.#empty.remove(arrayBuffer)) return;
    const status = native.free(handle, arrayBuffer);
    if (status !== Status.Ok) throw this.#failure(status);
  }

  /** The bytes that the block really has: at least its size. `realloc` up to there moves nothing. */
  usableSize(buffer: BufferLike): number {
    const arrayBuffer = arrayBufferOf(buffer);
    const handle = this.#live();
    if (this.#empty.has(arrayBuffer)) return 0;
    const size = native.usableSize(handle, arrayBuffer);
    if (size < 0) throw this.#failure(size);
    return size;
  }

  stats(): HeapStats {
    const [bytes, blocks, peakBytes, allocated, collected] = native.heapStats(this.#live());
    return { bytes, peakBytes, blocks, allocated, collected };
  }

  /** Tidies up free memory; with `force`, returns it to the system now. */
  collect(force = false): void {
    checkBoolean('force', force);
    native.collectHeap(this.#live(), force);
  }

  /**
   * Frees every block and detaches its buffer. The same warning as for `free` holds. Blocks that the
   * garbage collector has found already come back when the event loop turns.
   */
  destroy(): void {
    if (this.#handle === undefined) return;
    native.destroyHeap(this.#handle);
    this.#handle = undefined;
  }

  /** As `destroy`: `using heap = new Heap()`. */
  [dispose](): void {
    this.destroy();
  }

  #live(): HeapHandle {
    if (this.#handle === undefined) throw new HeapDestroyedError();
    return this.#handle;
  }

  #allocate(size: number, options: AllocOptions = {}): ArrayBuffer {
    checkOptions(options);
    const { zero = true, align } = options;
    checkBoolean('zero', zero);
    if (align !== undefined) checkAlign(align);
    // After the options: reading them may run code of the caller, which may destroy the heap.
    const handle = this.#live();
    if (size === 0) return this.#empty.add();
    const buffer = native.allocate(handle, size, align ?? 0, zero);
    if (typeof buffer === 'number') throw this.#failure(buffer, size, align);
    return transferable(buffer);
  }

  #reallocate(handle: HeapHandle, old: ArrayBuffer, size: number, zero: boolean): ArrayBuffer {
    if (this.#empty.has(old)) {
      const fresh = this.#allocate(size, { zero });
      this.#empty.remove(old);
      return fresh;
    }
    if (size === 0) {
      this.free(old);
      return this.#empty.add();
    }
    const resized = native.reallocate(handle, old, size, zero);
    if (typeof resized === 'number') throw this.#failure(resized, size);
    return transferable(resized);
  }

  #failure(status: Status, size = 0, align = 0): Error {
    switch (status) {
      case Status.Detached:
        return new AlreadyFreedError();
      case Status.OtherHeap:
        return new NotOwnedError('the buffer belongs to another heap');
      case Status.Limit:
        return new HeapLimitError(this.limit, this.stats().bytes, size);
      case Status.NoMemory:
        return new OutOfMemoryError(`${size} bytes`);
      case Status.Unaligned:
        return new AlignmentUnavailableError(align);
      default:
        return new NotOwnedError('the buffer is not from this heap');
    }
  }
}

collectWhenIdle();
