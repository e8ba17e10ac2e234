import { isEmptyOf, removeEmptyOf } from './empty';
import { HeapDestroyedError, OutOfMemoryError } from './errors';
import { failure } from './failure';
import type { AllocOptions, HeapStats, OffHeapBuffer } from './heap-types';
import { limitReached } from './limit';
import { type HandedOut, type HeapHandle, native, type Shown, Status } from './native';
import { checkStack } from './stack';
import { idOf, newTokenId, sizeOf, Token, type TokenClone } from './token';
import { bufferIn, transferableEmpty } from './transfer';
import { checkAlign, checkOptions, shownBy } from './validate';
import { lengthOf } from './views';

/**
 * The blocks of a heap, which the addon keeps, and its empty buffers, which the addon does not know. Heap
 * has checked the arguments. A status that the addon answers becomes an error here.
 */
export class HeapBlocks {
  readonly #name: string;
  readonly #limit: number;
  readonly #align: number | undefined;
  #handle: HeapHandle | undefined;

  constructor(name: string, limit: number, align: number | undefined) {
    const handle = native.newHeap(limit);
    if (typeof handle === 'number') throw new OutOfMemoryError('a new heap');
    this.#name = name;
    this.#limit = limit;
    this.#align = align;
    this.#handle = handle;
  }

  /** The addon's heap; undefined once destroyed. */
  get handle(): HeapHandle | undefined {
    return this.#handle;
  }

  /** Allocates a block; `size` is not 0. */
  allocate(size: number, options: AllocOptions | undefined, zero: boolean): HandedOut {
    const align = this.#alignOf(options);
    let block = native.allocate(this.#live(), size, align, zero);
    if (this.#hasRecovered(block)) block = native.allocate(this.#live(), size, align, zero);
    if (typeof block === 'number') throw this.#failure(block, undefined, size, align);
    return block;
  }

  /** Makes an empty buffer. */
  nothing(options?: AllocOptions): OffHeapBuffer {
    this.#alignOf(options);
    this.#live();
    return Buffer.from(transferableEmpty(this));
  }

  reallocate(old: Shown, size: number): OffHeapBuffer {
    const handle = this.#live();
    checkStack();
    if (size === 0 || isEmptyOf(this, old)) return this.#replace(handle, old, size);
    let block = native.reallocate(handle, old, size);
    if (this.#hasRecovered(block)) block = native.reallocate(this.#live(), old, size);
    if (typeof block !== 'number') return bufferIn(block);
    const held = block === Status.Limit ? lengthOf(old as ArrayBuffer) : 0;
    throw this.#failure(block, old, size - held);
  }

  free(shown: Shown, given: unknown): void {
    const status = native.free(this.#live(), shown);
    if (status === Status.Ok) return;
    if (!mayBeEmpty(status) || !removeEmptyOf(this, shown)) throw failure(status, given);
  }

  usableSize(shown: Shown, given: unknown): number {
    const size = native.usableSize(this.#live(), shown);
    if (size >= 0) return size;
    if (mayBeEmpty(size) && isEmptyOf(this, shown)) return 0;
    throw failure(size, given);
  }

  owns(shown: Shown): boolean {
    const status = native.find(this.#live(), shown);
    return status === Status.Ok || (mayBeEmpty(status) && isEmptyOf(this, shown));
  }

  /** Makes a token for what `given` shows: to be adopted once, which detaches `given`, or any number of times. */
  offer(given: unknown, once: boolean): Token {
    const shown = shownBy(given);
    const id = newTokenId(); // first: hooks of the program may run, and destroy the heap
    const handle = this.#live();
    checkStack();
    const size = native.find(handle, shown) === Status.Ok ? lengthOf(shown as ArrayBuffer) : 0;
    let status = once ? native.transfer(handle, shown, id) : native.share(handle, shown, id);
    if (mayBeEmpty(status) && isEmptyOf(this, shown)) {
      status = native.offerNothing(handle, id, once);
      if (once && status === Status.Ok) removeEmptyOf(this, shown);
    }
    if (status !== Status.Ok) throw failure(status, given, size);
    return Token.of(id, size);
  }

  adopt(token: TokenClone): OffHeapBuffer {
    const id = idOf(token);
    checkStack();
    let block = native.adopt(this.#live(), id);
    if (this.#hasRecovered(block)) block = native.adopt(this.#live(), id);
    if (block === null) return Buffer.from(transferableEmpty(this));
    if (typeof block === 'number') throw this.#failure(block, token, sizeOf(token));
    return bufferIn(block);
  }

  stats(): HeapStats {
    const [bytes = 0, peakBytes = 0, blocks = 0, allocated = 0, collected = 0, ...rows] =
      native.heapStats(this.#live());
    const sizeClasses = Array.from({ length: rows.length / 3 }, (_, row) => {
      const [upTo = 0, blocks = 0, bytes = 0] = rows.slice(row * 3, row * 3 + 3);
      return { upTo, blocks, bytes };
    });
    const name = this.#name;
    const limit = this.#limit;
    return { name, bytes, peakBytes, limit, blocks, allocated, collected, sizeClasses };
  }

  collect(): void {
    native.collectHeap(this.#live());
  }

  destroy(): void {
    const handle = this.#handle;
    if (handle === undefined) return;
    checkStack();
    // First: the addon may run an async hook of the program, which must find the heap destroyed.
    this.#handle = undefined;
    native.destroyHeap(handle);
  }

  #live(): HeapHandle {
    if (this.#handle === undefined) throw new HeapDestroyedError(this.#name);
    return this.#handle;
  }

  /** The alignment to ask the addon for. Reading the options may run code of the caller. */
  #alignOf(options: AllocOptions | undefined): number {
    if (options === undefined) return this.#align ?? 0;
    checkOptions(options);
    const { align = this.#align } = options;
    if (align === undefined) return 0;
    checkAlign(align);
    return align;
  }

  /** Like reallocate, if `old` is empty or `size` is 0. */
  #replace(handle: HeapHandle, old: Shown, size: number): OffHeapBuffer {
    const status = native.find(handle, old);
    if (status !== Status.Ok && !(mayBeEmpty(status) && isEmptyOf(this, old))) {
      throw failure(status, old);
    }
    const fresh = size === 0 ? this.nothing() : bufferIn(this.allocate(size, undefined, true));
    this.free(old, old);
    return fresh;
  }

  /** Whether `answer` is the limit and the garbage collector gave bytes back: then one more try is due. */
  #hasRecovered(answer: unknown): boolean {
    return answer === Status.Limit && native.recover(this.#live());
  }

  #failure(status: Status, given: unknown, size = 0, align = 0): Error {
    return status === Status.Limit ? this.#limitReached(size) : failure(status, given, size, align);
  }

  #limitReached(requested: number): Error {
    const handle = this.#live();
    const waitingBytes = native.waitingBytes(handle);
    const liveBytes = (native.heapStats(handle)[0] ?? 0) - waitingBytes;
    const name = this.#name;
    const limit = this.#limit;
    return limitReached({ name, limit, requested, liveBytes, waitingBytes });
  }
}

/** Whether the addon may answer `status` for an empty buffer; see isEmptyOf. */
function mayBeEmpty(status: Status): boolean {
  return status === Status.NotOwned || status === Status.Detached;
}
