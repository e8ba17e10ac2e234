import { type InspectOptions, types } from 'node:util';
import { Block } from './block';
import { dispose } from './dispose';
import {
  AlreadyReleasedError,
  NotOwnedError,
  PoolDestroyedError,
  PoolExhaustedError,
  WriteAfterReleaseError,
} from './errors';
import { failure } from './failure';
import { freeOrLeave } from './free-or-leave';
import { Heap } from './heap';
import type { BufferLike, OffHeapBuffer } from './heap-types';
import { inspect, shownAs } from './inspect';
import { Status } from './native';
import { firstWrite, poison } from './poison';
import type { PoolOptions, PoolStats } from './pool-types';
import { checkMoreStack, checkStack } from './stack';
import {
  checkAlign,
  checkBoolean,
  checkInteger,
  checkOptions,
  checkString,
  MAX_SIZE,
  shownBy,
} from './validate';
import { memoryOf, showsMemory } from './views';
import { checkSignal, Waiters } from './waiters';

/**
 * Buffers of one size, used again and again. `acquire` and `release` take a few nanoseconds: they call
 * nothing native and make no garbage, since they hand out the same Buffer objects again.
 *
 * Every block has an ArrayBuffer of its own, so `buffer.buffer` shows no neighbour. Memory stays where it
 * is until `destroy`, which detaches every block, held or free: all views have length 0 from then on.
 *
 * Code that keeps a buffer after its release can read and write what the next holder has in it. No pool can
 * see that as it happens; with `poison`, a write to a block while it is free is found later.
 *
 * A block that is dropped without release is lost for the pool. It makes room for another once the garbage
 * collector has found its ArrayBuffer. A block that a byte stream moved away makes room at its release.
 *
 * A pool belongs to the thread that made it. When that thread ends, its blocks end with it.
 *
 * Every method but `destroy` and `[Symbol.dispose]` throws {@link PoolDestroyedError} once the pool was
 * destroyed.
 *
 * @example
 * ```ts
 * import { Pool } from 'miheap';
 *
 * using frames = new Pool({ name: 'frames', blockSize: 1920 * 1080 * 4, max: 8 });
 * const frame = frames.acquire();
 * frame.fill(255);
 * frames.release(frame);
 * console.log(frames.acquire() === frame); // true
 * ```
 */
export class Pool {
  readonly #name: string;
  readonly #blockSize: number;
  readonly #max: number;
  readonly #align: number | undefined;
  readonly #poison: boolean;
  readonly #waiters = new Waiters<OffHeapBuffer>();
  /** The Buffer of each ArrayBuffer. Only this and its holder know a held block. */
  readonly #buffers = new WeakMap<object, OffHeapBuffer>();
  readonly #dropped = new FinalizationRegistry<undefined>(() => this.#makeRoom());
  #heap: Heap | undefined;
  #free: OffHeapBuffer[] = [];
  #blocks = 0;
  #created = 0;
  /** True while acquire and release need only pop and push: no poison, no waiters. */
  #simple: boolean;

  /**
   * @throws {@link InvalidTypeError}, {@link InvalidValueError} or {@link OutOfRangeError} if an option is
   *   wrong; {@link OutOfMemoryError}; {@link AlignmentUnavailableError} where V8 owns the memory and it
   *   is not aligned as asked.
   */
  constructor(options: PoolOptions) {
    checkOptions(options);
    const { name = '', blockSize, max = Number.POSITIVE_INFINITY } = options;
    const { prefill = 0, poison: poisons = false, align } = options;
    checkString('name', name);
    checkInteger('blockSize', blockSize, 1, MAX_SIZE);
    if (max !== Number.POSITIVE_INFINITY) checkInteger('max', max, 1, Number.MAX_SAFE_INTEGER);
    checkInteger('prefill', prefill, 0, Math.min(max, Number.MAX_SAFE_INTEGER));
    checkBoolean('poison', poisons);
    if (align !== undefined) checkAlign(align);
    this.#name = name;
    this.#blockSize = blockSize;
    this.#max = max;
    this.#align = align;
    this.#poison = poisons;
    this.#simple = !poisons;
    this.#heap = new Heap({ name, limit: undefined, align: undefined });
    this.#prefill(prefill);
  }

  /** The name it was made with, or ''. */
  get name(): string {
    return this.#name;
  }

  /** Bytes of each block. */
  get blockSize(): number {
    return this.#blockSize;
  }

  /** The most blocks that may exist at one time, or Infinity. */
  get max(): number {
    return this.#max;
  }

  /** Whether `destroy` was called. */
  get destroyed(): boolean {
    return this.#heap === undefined;
  }

  /**
   * A block for you alone, until you release it. It shows what its last holder left there or, if it is
   * new, what the process last had there, as `Buffer.allocUnsafe` does (under `node --zero-fill-buffers`,
   * zeros).
   *
   * @throws {@link PoolExhaustedError} if `max` blocks are held; {@link OutOfMemoryError};
   *   {@link AlignmentUnavailableError}; with `poison`, {@link WriteAfterReleaseError} if the block that
   *   was to be acquired was written to while it was free. The pool has then given that block up, and
   *   detached it if it can be detached.
   *
   * @example
   * ```ts
   * import { Pool } from 'miheap';
   *
   * using pool = new Pool({ blockSize: 4096, max: 1 });
   * const block = pool.acquire();
   * try {
   *   pool.acquire();
   * } catch (error) {
   *   console.log((error as Error).name); // PoolExhaustedError
   * }
   * pool.release(block);
   * ```
   */
  acquire(): OffHeapBuffer {
    const { length } = this.#free;
    if (length > 0 && this.#simple) {
      const block = this.#free[length - 1] as OffHeapBuffer;
      if (showsMemory(block)) {
        Block.take(block);
        this.#free.pop(); // last: the stack may be too short for the calls above
        return block;
      }
    }
    return this.#acquire();
  }

  /**
   * Like `acquire`, but while `max` blocks are held it waits until one is released. Calls that wait are
   * served in the order in which they came.
   *
   * @param signal Ends the wait when it aborts. The promise rejects with the signal's reason then.
   *   Neither the wait nor the timer of `AbortSignal.timeout` keeps the process alive.
   * @throws Never at once: the promise rejects with what `acquire` throws, {@link PoolExhaustedError}
   *   excepted; with {@link PoolDestroyedError} also if the pool is destroyed meanwhile; with
   *   {@link InvalidTypeError} if `signal` is no AbortSignal.
   *
   * @example
   * ```ts
   * import { Pool } from 'miheap';
   *
   * using pool = new Pool({ blockSize: 4096, max: 1 });
   * const block = pool.acquire();
   * const next = pool.acquireAsync(AbortSignal.timeout(1000));
   * pool.release(block);
   * pool.release(await next);
   * console.log(pool.stats().held); // 0
   * ```
   */
  acquireAsync(signal?: AbortSignal): Promise<OffHeapBuffer> {
    try {
      checkSignal(signal);
      if (signal?.aborted) throw signal.reason;
      this.#live();
      // Settles in as few turns as a call that is served after a wait, so that no later call goes on first.
      if (this.#free.length > 0 || this.#blocks < this.#max) return Promise.resolve(this.acquire());
    } catch (error) {
      return Promise.reject(error);
    }
    this.#simple = false;
    return this.#waiters.join(signal);
  }

  /**
   * Gives a block back. Do not use the Buffer after that: it will be the next holder's.
   *
   * Do not release a buffer that a pending operation (`fs.read`, a stream, `crypto`) still uses.
   *
   * @param buffer The Buffer, any view of the block, or its ArrayBuffer. If it was transferred to another
   *   thread or moved by `ArrayBuffer.prototype.transfer`, the pool lets it go and makes room for a new
   *   block.
   * @throws {@link InvalidTypeError} if `buffer` is none of these; {@link NotOwnedError} if it is no block
   *   of this pool; {@link AlreadyReleasedError} if the block is free. A second release after another
   *   holder has acquired the block cannot be told from a release by that holder.
   *
   * @example
   * ```ts
   * import { Pool } from 'miheap';
   *
   * using pool = new Pool({ blockSize: 4096 });
   * const block = pool.acquire();
   * pool.release(block);
   * try {
   *   pool.release(block);
   * } catch (error) {
   *   console.log((error as Error).name); // AlreadyReleasedError
   * }
   * ```
   */
  release(buffer: BufferLike): void {
    if (
      this.#simple &&
      ArrayBuffer.isView(buffer) &&
      showsMemory(buffer as OffHeapBuffer) &&
      Block.release(buffer, this)
    ) {
      this.#free[this.#free.length] = buffer as OffHeapBuffer; // no call, which may need more stack
    } else {
      this.#release(buffer);
    }
  }

  /**
   * What the pool has.
   *
   * @example
   * ```ts
   * import { Pool } from 'miheap';
   *
   * using pool = new Pool({ blockSize: 1000, prefill: 3 });
   * const block = pool.acquire();
   * const { blocks, held, free, bytes } = pool.stats();
   * console.log(blocks, held, free, bytes); // 3 1 2 3000
   * ```
   */
  stats(): PoolStats {
    this.#live();
    const free = this.#free.length;
    return {
      blocks: this.#blocks,
      held: this.#blocks - free,
      free,
      bytes: this.#blocks * this.#blockSize,
      waiting: this.#waiters.count,
      created: this.#created,
      lost: this.#created - this.#blocks,
    };
  }

  /**
   * Gives all memory back now and detaches every block, held or free. Calls of `acquireAsync` that wait
   * reject with {@link PoolDestroyedError}. As for `release`, no pending operation may use a block. A block
   * that cannot be detached, since it is immutable or the heap of an asm.js module, stays until the garbage
   * collector finds it. On a destroyed pool, does nothing.
   *
   * @throws With `poison`, {@link WriteAfterReleaseError} if a free block was written to; the pool is
   *   destroyed all the same.
   *
   * @example
   * ```ts
   * import { Pool } from 'miheap';
   *
   * const pool = new Pool({ blockSize: 4096 });
   * const block = pool.acquire();
   * pool.destroy();
   * console.log(block.length); // 0
   * ```
   */
  destroy(): void {
    const heap = this.#heap;
    if (heap === undefined) return;
    checkMoreStack();
    const spoilt = this.#firstSpoilt();
    this.#heap = undefined;
    this.#free = [];
    this.#simple = false;
    heap.destroy();
    while (this.#waiters.refuse(new PoolDestroyedError(this.#name)));
    if (spoilt !== undefined) throw spoilt;
  }

  /** Calls `destroy`, at the end of the scope of `using pool = new Pool(…)`. */
  [dispose](): void {
    this.destroy();
  }

  /** What `util.inspect` and `console.log` show: options and `stats()`, or that it was destroyed. */
  [inspect](depth: number, options: InspectOptions): string {
    if (!(#name in this)) return '[Pool]'; // a proxy
    const state = this.destroyed ? { destroyed: true } : this.stats();
    const fields = { name: this.#name, blockSize: this.#blockSize, max: this.#max, ...state };
    return shownAs(this, fields, depth, options);
  }

  #live(): Heap {
    if (this.#heap === undefined) throw new PoolDestroyedError(this.#name);
    return this.#heap;
  }

  /** Acquires a free block that still shows memory, or makes one. */
  #acquire(): OffHeapBuffer {
    checkStack();
    for (let block = this.#free.at(-1); block !== undefined; block = this.#free.at(-1)) {
      const offset = this.#poison && showsMemory(block) ? firstWrite(block) : -1;
      this.#free.pop();
      if (offset >= 0) this.#giveUp(block, offset);
      if (showsMemory(block)) {
        Block.take(block);
        return block;
      }
      this.#letGo(block);
    }
    this.#live();
    if (this.#blocks >= this.#max) throw new PoolExhaustedError(this.#name, this.#max);
    return this.#create();
  }

  #release(buffer: BufferLike): void {
    const shown = shownBy(buffer);
    if (!types.isArrayBuffer(shown)) throw failure(Status.NoBuffer, buffer);
    this.#live();
    checkStack();
    const block = this.#buffers.get(shown);
    if (block === undefined) throw new NotOwnedError('the buffer is not from this pool');
    if (!Block.release(block, this)) throw new AlreadyReleasedError(this.#name);
    if (showsMemory(block)) this.#put(block);
    else this.#letGo(block);
    this.#noteWaiters();
  }

  /** Makes a block, held. */
  #create(): OffHeapBuffer {
    const block = this.#live().allocUnsafe(this.#blockSize, { align: this.#align });
    const memory = memoryOf(block);
    Block.mark(block, this);
    this.#buffers.set(memory, block);
    this.#dropped.register(memory, undefined, memory);
    this.#blocks++;
    this.#created++;
    return block;
  }

  #prefill(count: number): void {
    try {
      for (let i = 0; i < count; i++) {
        const block = this.#create();
        Block.release(block, this);
        this.#put(block);
      }
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** Takes back a released block. While calls wait, no block is free, so that no later call overtakes. */
  #put(block: OffHeapBuffer): void {
    if (this.#poison) poison(block);
    if (this.#waiters.count === 0) {
      this.#free.push(block);
    } else {
      Block.take(block);
      this.#waiters.serve(block);
    }
  }

  /** Gives up a block that is detached, or soon will be. */
  #letGo(block: OffHeapBuffer): void {
    const memory = memoryOf(block);
    this.#dropped.unregister(memory);
    this.#buffers.delete(memory);
    this.#makeRoom();
  }

  /** Counts one block less, and makes new ones for calls that wait. */
  #makeRoom(): void {
    if (this.#heap === undefined) return;
    this.#blocks--;
    while (this.#waiters.count > 0 && this.#blocks < this.#max) {
      try {
        this.#waiters.serve(this.#create());
      } catch (error) {
        this.#waiters.refuse(error);
      }
    }
    this.#noteWaiters();
  }

  #noteWaiters(): void {
    this.#simple = !this.#poison && this.#waiters.count === 0;
  }

  #giveUp(block: OffHeapBuffer, offset: number): never {
    freeOrLeave(this.#live(), block);
    this.#letGo(block);
    throw new WriteAfterReleaseError(this.#name, offset);
  }

  #firstSpoilt(): WriteAfterReleaseError | undefined {
    if (!this.#poison) return undefined;
    for (const block of this.#free) {
      const offset = showsMemory(block) ? firstWrite(block) : -1;
      if (offset >= 0) return new WriteAfterReleaseError(this.#name, offset);
    }
    return undefined;
  }
}
