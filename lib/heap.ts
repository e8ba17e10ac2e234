import type { InspectOptions } from 'node:util';
import { dispose } from './dispose';
import { freeOrLeave } from './free-or-leave';
import { HeapBlocks } from './heap-blocks';
import type {
  AllocFromOptions,
  AllocOptions,
  BufferLike,
  HeapOptions,
  HeapStats,
  OffHeapBuffer,
  TypedArrayConstructor,
} from './heap-types';
import { collectWhenIdle } from './idle';
import { inspect, shownAs } from './inspect';
import { native } from './native';
import type { Token, TokenClone } from './token';
import { arrayBufferIn, bufferIn } from './transfer';
import {
  bytesOf,
  checkAlign,
  checkEncoding,
  checkLimit,
  checkOptions,
  checkSize,
  checkString,
  elementSizeOf,
  isLengthKnown,
  NO_OPTIONS,
  shownBy,
} from './validate';
import { zeroFills } from './zero-fill';

/**
 * Buffers with their own lives, outside V8's heap. Each has an ArrayBuffer to itself. `free` gives the
 * memory of one back at once; without it, the memory comes back when the garbage collector finds the buffer.
 *
 * A view stands for the whole block it shows: `free(buffer.subarray(3))` frees `buffer`.
 *
 * A heap belongs to the thread that made it. When that thread ends, its buffers end with it. Blocks go
 * to other threads with `transfer` or `share`.
 *
 * Every method but `owns`, `destroy` and `[Symbol.dispose]` throws {@link HeapDestroyedError} once the
 * heap was destroyed. A call that throws has changed nothing.
 *
 * Do not give a heap's buffers to `worker_threads.markAsUntransferable`: Node 24 and newer stop the process
 * when such a buffer is detached. While `external` is true, they cannot be transferred anyway.
 *
 * A byte stream, or `ArrayBuffer.prototype.transfer.call`, moves a block to a new ArrayBuffer. The heap can
 * still free that one, but it can go to another thread. If a worker ends while a block that was moved in
 * this way is alive, the block is never freed. If a worker is terminated, such a block may be freed although
 * another thread has it: in such a worker, give byte streams copies.
 *
 * @example
 * ```ts
 * import { Heap } from 'miheap';
 *
 * const heap = new Heap({ name: 'frames', limit: 64 * 1024 * 1024 });
 * const frame = heap.alloc(1920 * 1080 * 4);
 * heap.free(frame);
 * console.log(frame.length); // 0
 * heap.destroy();
 * ```
 */
export class Heap {
  readonly #name: string;
  readonly #limit: number;
  readonly #align: number | undefined;
  readonly #blocks: HeapBlocks;

  /**
   * @throws {@link InvalidTypeError}, {@link InvalidValueError} or {@link OutOfRangeError} if an option
   *   is wrong; {@link OutOfMemoryError}.
   */
  constructor(options: HeapOptions = NO_OPTIONS) {
    checkOptions(options);
    const { name = '', limit = Number.POSITIVE_INFINITY, align } = options;
    checkString('name', name);
    checkLimit(limit);
    if (align !== undefined) checkAlign(align);
    this.#name = name;
    this.#limit = limit;
    this.#align = align;
    this.#blocks = new HeapBlocks(name, limit, align);
  }

  /** The name it was made with, or ''. */
  get name(): string {
    return this.#name;
  }

  /** The most bytes that may be held at one time, or Infinity. */
  get limit(): number {
    return this.#limit;
  }

  /** The alignment of blocks that do not ask for another; undefined: the natural one. */
  get align(): number | undefined {
    return this.#align;
  }

  /**
   * False where the runtime forbids external buffers (Electron), or the environment says
   * MIHEAP_EXTERNAL_BUFFERS=0: V8 then owns the memory, only small alignments can be had, and `transfer`
   * and `share` copy. `structuredClone` and `postMessage` can then transfer a buffer away, whose bytes count
   * until the ArrayBuffer that was left behind is collected. Everything else stays the same.
   */
  get external(): boolean {
    return native.external;
  }

  /** Whether `destroy` was called. */
  get destroyed(): boolean {
    return this.#blocks.handle === undefined;
  }

  /**
   * A Buffer of `size` bytes, all zero.
   *
   * @param size From 0 to `buffer.constants.MAX_LENGTH` bytes.
   * @throws {@link InvalidTypeError}, {@link InvalidValueError} or {@link OutOfRangeError} if an argument
   *   is wrong; {@link HeapLimitError}; {@link OutOfMemoryError}; {@link AlignmentUnavailableError} where
   *   V8 owns the memory and it is not aligned as asked.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * using heap = new Heap();
   * const page = heap.alloc(4096, { align: 4096 });
   * console.log(page.length, page[0]); // 4096 0
   * ```
   */
  alloc(size: number, options?: AllocOptions): OffHeapBuffer {
    checkSize('size', size);
    return size === 0
      ? this.#blocks.nothing(options)
      : bufferIn(this.#blocks.allocate(size, options, true));
  }

  /**
   * A Buffer of `size` bytes that shows whatever the process last had there, as `Buffer.allocUnsafe`
   * does. It takes less time than `alloc`, for programs that write all of it before they read it. Under
   * `node --zero-fill-buffers` it is all zero.
   *
   * @param size From 0 to `buffer.constants.MAX_LENGTH` bytes.
   * @throws As {@link alloc} does.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * using heap = new Heap();
   * const line = heap.allocUnsafe(80).fill('-');
   * console.log(line.toString('latin1', 0, 5)); // -----
   * ```
   */
  allocUnsafe(size: number, options?: AllocOptions): OffHeapBuffer {
    checkSize('size', size);
    return size === 0
      ? this.#blocks.nothing(options)
      : bufferIn(this.#blocks.allocate(size, options, zeroFills));
  }

  /**
   * A Buffer with a copy of `data`: of a string's bytes in an encoding, or of the bytes of a view, an
   * ArrayBuffer or a SharedArrayBuffer.
   *
   * @throws As {@link alloc} does; {@link InvalidTypeError} if `data` is none of these, and
   *   {@link InvalidValueError} if it is detached.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * using heap = new Heap();
   * console.log(heap.allocFrom('c0ffee', { encoding: 'hex' }).length); // 3
   * console.log(heap.allocFrom(new Uint16Array([1, 2])).length); // 4
   * ```
   */
  allocFrom(
    data: string | ArrayBufferLike | NodeJS.ArrayBufferView,
    options: AllocFromOptions = NO_OPTIONS,
  ): OffHeapBuffer {
    checkOptions(options);
    const { encoding = 'utf8', align } = options;
    checkEncoding(encoding);
    if (typeof data !== 'string' || !isLengthKnown(encoding)) {
      const bytes = typeof data === 'string' ? Buffer.from(data, encoding) : bytesOf(data);
      const copy = this.allocUnsafe(bytes.length, { align });
      copy.set(bytes);
      return copy;
    }
    const buffer = this.allocUnsafe(Buffer.byteLength(data, encoding), { align });
    buffer.write(data, encoding);
    return buffer;
  }

  /**
   * An ArrayBuffer of `size` bytes, all zero.
   *
   * @param size From 0 to `buffer.constants.MAX_LENGTH` bytes.
   * @throws As {@link alloc} does.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * using heap = new Heap();
   * const header = new DataView(heap.allocArrayBuffer(16));
   * header.setUint32(0, 0xcafe);
   * console.log(header.getUint16(2)); // 51966
   * ```
   */
  allocArrayBuffer(size: number, options?: AllocOptions): ArrayBuffer {
    checkSize('size', size);
    if (size === 0) return this.#blocks.nothing(options).buffer as ArrayBuffer;
    return arrayBufferIn(this.#blocks.allocate(size, options, true));
  }

  /**
   * A typed array of `length` elements, all zero.
   *
   * @param type Float64Array, Uint8Array, and so on, or a class derived from one; not Buffer.
   * @param length How many elements; their bytes must be a size that `alloc` takes.
   * @throws {@link InvalidTypeError} if `type` is no such constructor; and as {@link alloc} does.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * using heap = new Heap();
   * const samples = heap.allocTyped(Float64Array, 1000);
   * console.log(samples.length, samples.byteLength); // 1000 8000
   * ```
   */
  allocTyped<T>(type: TypedArrayConstructor<T>, length: number, options?: AllocOptions): T {
    const elementSize = elementSizeOf(type);
    checkSize('length', length);
    const memory = this.allocArrayBuffer(length * elementSize, options);
    try {
      return new type(memory, 0, length);
    } catch (error) {
      if (this.owns(memory)) freeOrLeave(this, memory);
      throw error;
    }
  }

  /**
   * Changes the size of a block, in place if there is room. The contents up to the smaller size stay, and
   * bytes beyond the old size are zero. The old buffer and every view of it are detached; use the one
   * returned. The block keeps its alignment, unless it had or gets a size of 0.
   *
   * If a buffer of a megabyte or more is to grow and cannot be detached, since it is the heap of an asm.js
   * module, the process ends: the memory has moved by then.
   *
   * @param newSize From 0 to `buffer.constants.MAX_LENGTH` bytes.
   * @returns An ArrayBuffer if an ArrayBuffer was given, else a Buffer over the whole block.
   * @throws As `alloc` and `free` do; the old buffer is untouched then.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * using heap = new Heap();
   * let text = heap.allocFrom('hello');
   * text = heap.realloc(text, 11);
   * text.write(' world', 5);
   * console.log(text.toString()); // hello world
   * ```
   */
  realloc(buffer: NodeJS.ArrayBufferView, newSize: number): OffHeapBuffer;
  /** Changes the size of a block that an ArrayBuffer shows. */
  realloc(buffer: ArrayBufferLike, newSize: number): ArrayBuffer;
  /** Changes the size of a block that a view or an ArrayBuffer shows. */
  realloc(buffer: BufferLike, newSize: number): OffHeapBuffer | ArrayBuffer;
  realloc(buffer: BufferLike, newSize: number): OffHeapBuffer | ArrayBuffer {
    const old = shownBy(buffer);
    checkSize('newSize', newSize);
    const resized = this.#blocks.reallocate(old, newSize);
    return buffer === old ? (resized.buffer as ArrayBuffer) : resized;
  }

  /**
   * Gives the memory back now and detaches the buffer: every view of it has length 0 from here on.
   *
   * Do not free a buffer that a pending operation (`fs.read`, a stream, `crypto`) still uses: it would
   * write into memory that may be another buffer's by then. Detaching cannot prevent this.
   *
   * @param buffer The Buffer, any view of the block, or its ArrayBuffer.
   * @throws {@link InvalidTypeError} if `buffer` is none of these; {@link NotOwnedError} if it is not of
   *   this heap; {@link AlreadyFreedError}; {@link InvalidValueError} if it cannot be detached, since it is
   *   immutable or the heap of an asm.js module.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * using heap = new Heap();
   * const buffer = heap.alloc(1000);
   * const part = buffer.subarray(500);
   * heap.free(buffer);
   * console.log(part.length, heap.stats().bytes); // 0 0
   * ```
   */
  free(buffer: BufferLike): void {
    this.#blocks.free(shownBy(buffer), buffer);
  }

  /**
   * The bytes that the block really has: at least its size. A `realloc` that grows to no more than that moves nothing;
   * one to less than half may.
   *
   * @throws As `free` does.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * using heap = new Heap();
   * console.log(heap.usableSize(heap.alloc(1001))); // 1024
   * ```
   */
  usableSize(buffer: BufferLike): number {
    return this.#blocks.usableSize(shownBy(buffer), buffer);
  }

  /**
   * Whether `value` is a buffer of this heap, or a view of one, that is alive.
   *
   * @throws Never, whatever `value` is.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * using heap = new Heap();
   * const buffer = heap.alloc(10);
   * console.log(heap.owns(buffer), heap.owns(Buffer.alloc(10))); // true false
   * ```
   */
  owns(value: unknown): boolean {
    return !this.destroyed && this.#blocks.owns(shownBy(value));
  }

  /**
   * Offers the block to one other thread and detaches the buffer here. The block counts for no heap
   * until it is adopted. It lives as long as its token: until the token is adopted or released, or this
   * thread ends. So a thread must not end before the blocks that it sent were adopted.
   *
   * Where `external` is false, the contents are copied.
   *
   * @returns A small object for `postMessage`, which a thread can `adopt` once.
   * @throws As `free` does; {@link OutOfMemoryError}.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * const sender = new Heap();
   * const receiver = new Heap();
   * const buffer = sender.allocFrom('moved');
   * const message = structuredClone(sender.transfer(buffer)); // as postMessage does
   * console.log(receiver.adopt(message).toString(), buffer.length); // moved 0
   * ```
   */
  transfer(buffer: BufferLike): Token {
    return this.#blocks.offer(buffer, true);
  }

  /**
   * Offers the same memory to any number of threads, and to this one again. Each `adopt` makes a buffer
   * of its own over it, and each buffer is freed by itself. The memory comes back with the last of them,
   * once the token was released, too, or this thread has ended.
   *
   * Nothing keeps threads from writing at the same time: let all of them only read, or pass messages to
   * take turns. Where `external` is false, each `adopt` copies what the block held when it was shared.
   *
   * @throws As `free` does; {@link OutOfMemoryError}.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * const heap = new Heap();
   * const table = heap.allocFrom('shared');
   * const token = heap.share(table);
   * const other = heap.adopt(token);
   * token.release(); // no other thread will adopt it
   * heap.free(table);
   * console.log(other.toString()); // shared
   * heap.free(other); // now the memory is free
   * ```
   */
  share(buffer: BufferLike): Token {
    return this.#blocks.offer(buffer, false);
  }

  /**
   * Takes a block that a heap of this or another thread offers. From then on it is a block of this heap.
   *
   * @param token What `transfer` or `share` returned, or a clone of it.
   * @returns A Buffer over the whole block.
   * @throws {@link InvalidTypeError} if `token` is no token; {@link TokenError} if no block waits for it;
   *   {@link HeapLimitError}, {@link OutOfMemoryError} and, where V8 owns the memory,
   *   {@link AlignmentUnavailableError}: after these three, the token can still be adopted.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   * import { Worker } from 'node:worker_threads';
   *
   * const worker = new Worker(
   *   `const { Heap } = require('miheap');
   *    const { parentPort } = require('node:worker_threads');
   *    const heap = new Heap();
   *    parentPort.on('message', (token) => {
   *      const buffer = heap.adopt(token);
   *      parentPort.postMessage(buffer.length);
   *      heap.free(buffer);
   *      parentPort.close();
   *    });`,
   *   { eval: true },
   * );
   * const heap = new Heap();
   * worker.postMessage(heap.transfer(heap.alloc(5000)));
   * worker.on('message', (length) => {
   *   console.log(length); // 5000
   * });
   * ```
   */
  adopt(token: TokenClone): OffHeapBuffer {
    return this.#blocks.adopt(token);
  }

  /**
   * What the heap holds.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * using heap = new Heap({ name: 'tiles' });
   * heap.alloc(1000);
   * const { bytes, blocks, sizeClasses } = heap.stats();
   * console.log(bytes, blocks, sizeClasses); // 1000 1 [ { upTo: 1024, blocks: 1, bytes: 1000 } ]
   * ```
   */
  stats(): HeapStats {
    return this.#blocks.stats();
  }

  /**
   * Returns the heap's free memory to the system now. That also happens by itself, when the program has
   * freed much and is then idle for a moment.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * using heap = new Heap();
   * heap.free(heap.alloc(10_000_000).fill(1));
   * heap.collect();
   * ```
   */
  collect(): void {
    this.#blocks.collect();
  }

  /**
   * Frees every block and detaches its buffer. If that frees a megabyte or more, the memory goes back to
   * the system at once. As for `free`, no pending operation may use a buffer. Blocks that are garbage
   * already come back when the event loop turns. A buffer that cannot be detached, since it is immutable or
   * the heap of an asm.js module, stays until the garbage collector finds it. On a destroyed heap, does
   * nothing.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * const heap = new Heap();
   * const buffer = heap.alloc(1000);
   * heap.destroy();
   * console.log(buffer.length, heap.destroyed); // 0 true
   * ```
   */
  destroy(): void {
    this.#blocks.destroy();
  }

  /** Calls `destroy`, at the end of the scope of `using heap = new Heap()`. */
  [dispose](): void {
    this.destroy();
  }

  /** What `util.inspect` and `console.log` show: options, and bytes and blocks, or that it was destroyed. */
  [inspect](depth: number, options: InspectOptions): string {
    if (!(#blocks in this)) return '[Heap]'; // a proxy
    const made = { name: this.#name, limit: this.#limit };
    if (this.destroyed) return shownAs(this, { ...made, destroyed: true }, depth, options);
    const { bytes, blocks } = this.stats();
    return shownAs(this, { ...made, bytes, blocks }, depth, options);
  }
}

collectWhenIdle(Heap);
