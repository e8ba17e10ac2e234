import { InvalidTypeError } from './errors';
import { native, Status } from './native';

/**
 * A token as it arrives in another thread: `postMessage` and `structuredClone` copy its properties, and
 * not its methods.
 */
export interface TokenClone {
  /** 128 random bits, in hexadecimal. Any thread that has them can adopt the block. */
  readonly id: string;
  /** The size of the block in bytes. */
  readonly byteLength: number;
}

/**
 * Stands for a block that `heap.transfer` or `heap.share` offers to other threads. Send the token there
 * with `postMessage`; `heap.adopt` takes the block.
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
  /** 128 random bits, in hexadecimal. Any thread that has them can adopt the block. */
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
   * Ends this token, like {@link releaseToken}.
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
 * Ends a token that no thread is going to adopt. A transferred block is freed; a shared one is freed once
 * every buffer over it is freed, too. Any thread may call this, with the token or a clone.
 *
 * @returns False if the token had ended before: it was released, it was made by `transfer` and adopted, or
 *   the thread that made it has ended.
 * @throws {@link InvalidTypeError} if `token` is no token.
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

/** Makes a name for a token that cannot be guessed. */
export function newTokenId(): string {
  // Loaded here: that takes 3 ms or more, and most programs make no token.
  const { randomBytes }: typeof import('node:crypto') = require('node:crypto');
  return randomBytes(16).toString('hex');
}

/** The name in a token or a clone of one. It may be forged. */
export function idOf(token: unknown): string {
  const id = typeof token === 'object' && token !== null ? (token as TokenClone).id : undefined;
  if (typeof id !== 'string') throw new InvalidTypeError('token', 'a token', token);
  return id;
}

/** The size in a token, for messages. */
export function sizeOf(token: TokenClone): number {
  return typeof token.byteLength === 'number' ? token.byteLength : 0;
}
