import { InvalidTypeError } from './errors';
import { native, Status } from './native';

/**
 * A token as it arrives in another thread: `postMessage` and `structuredClone` copy what a token says,
 * and not its methods.
 */
export interface TokenClone {
  /** 128 random bits. Who has them can adopt the block. */
  readonly id: string;
  /** The size of the block in bytes. */
  readonly byteLength: number;
}

/**
 * Stands for a block that `heap.transfer` or `heap.share` offers to other threads. Send it there with
 * `postMessage`; `heap.adopt` takes it.
 *
 * @example
 * ```ts
 * import { Heap } from 'miheap';
 *
 * const heap = new Heap();
 * const token = heap.share(heap.alloc(1000));
 * console.log(token.id.length, token.byteLength); // 32 1000
 * token.release();
 * ```
 */
export class Token implements TokenClone {
  /** 128 random bits. Who has them can adopt the block. */
  readonly id: string;
  /** The size of the block in bytes. */
  readonly byteLength: number;

  private constructor(id: string, byteLength: number) {
    this.id = id;
    this.byteLength = byteLength;
  }

  /** @internal */
  static of(id: string, byteLength: number): Token {
    return new Token(id, byteLength);
  }

  /**
   * As {@link releaseToken} with this token.
   *
   * @example
   * ```ts
   * import { Heap } from 'miheap';
   *
   * const heap = new Heap();
   * const token = heap.transfer(heap.alloc(1000));
   * console.log(token.release(), token.release()); // true false
   * ```
   */
  release(): boolean {
    return releaseToken(this);
  }
}

/**
 * Ends a token that nobody is going to adopt. The memory of a transferred block is free then; of a
 * shared one when every buffer over it is freed, too. Any thread may do this, with the token or a clone.
 *
 * @returns false if there was nothing to end: the token was adopted (if it is of `transfer`), released,
 *   or the thread that made it has ended.
 * @throws {@link InvalidTypeError} if it is no token.
 *
 * @example
 * ```ts
 * import { Heap, releaseToken } from 'miheap';
 *
 * const heap = new Heap();
 * const token = structuredClone(heap.transfer(heap.alloc(1000)));
 * console.log(releaseToken(token)); // true
 * console.log(releaseToken(token)); // false
 * ```
 */
export function releaseToken(token: TokenClone): boolean {
  return native.releaseToken(idOf(token)) === Status.Ok;
}

/** A name for a token that nobody can guess. */
export function newTokenId(): string {
  // Loading it takes milliseconds, and most programs need none.
  const { randomBytes }: typeof import('node:crypto') = require('node:crypto');
  return randomBytes(16).toString('hex');
}

/** The name that a token or a clone of one says; it may still be a forgery. */
export function idOf(token: unknown): string {
  const id = typeof token === 'object' && token !== null ? (token as TokenClone).id : undefined;
  if (typeof id !== 'string') throw new InvalidTypeError('token', 'a token', token);
  return id;
}

/** The size that a token says, for messages. */
export function sizeOf(token: TokenClone): number {
  return typeof token.byteLength === 'number' ? token.byteLength : 0;
}
