import { InvalidTypeError } from './errors';

// So that nothing a signal was made to do can run while somebody joins or leaves.
const { addEventListener, removeEventListener } = EventTarget.prototype;

/** One who waits: settled once, and then in no queue and with no listener. */
interface Waiter<T> {
  resolve(value: T): void;
  reject(reason: unknown): void;
  signal: AbortSignal | undefined;
  onAbort: () => void;
  previous: Waiter<T> | undefined;
  next: Waiter<T> | undefined;
  queued: boolean;
}

/** Those who wait, first come first served. Leaving, from anywhere in the queue, takes one step. */
export class Waiters<T> {
  #first: Waiter<T> | undefined;
  #last: Waiter<T> | undefined;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Waits at the end of the queue. When `signal` aborts, the promise rejects with its reason. */
  join(signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiter: Waiter<T> = {
        resolve,
        reject,
        signal,
        onAbort: () => {
          if (this.#leave(waiter)) reject(signal?.reason);
        },
        previous: this.#last,
        next: undefined,
        queued: true,
      };
      if (this.#last === undefined) this.#first = waiter;
      else this.#last.next = waiter;
      this.#last = waiter;
      this.#count++;
      if (signal) addEventListener.call(signal, 'abort', waiter.onAbort);
    });
  }

  /** Gives `value` to the one who waited longest; false if nobody waits. */
  serve(value: T): boolean {
    const waiter = this.#first;
    if (waiter === undefined) return false;
    this.#leave(waiter);
    waiter.resolve(value);
    return true;
  }

  /** Tells the one who waited longest that there is nothing to wait for; false if nobody waits. */
  refuse(reason: unknown): boolean {
    const waiter = this.#first;
    if (waiter === undefined) return false;
    this.#leave(waiter);
    waiter.reject(reason);
    return true;
  }

  #leave(waiter: Waiter<T>): boolean {
    if (!waiter.queued) return false;
    waiter.queued = false;
    const { previous, next } = waiter;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    this.#count--;
    if (waiter.signal) removeEventListener.call(waiter.signal, 'abort', waiter.onAbort);
    return true;
  }
}

export function checkSignal(value: unknown): asserts value is AbortSignal | undefined {
  if (value !== undefined && !(value instanceof AbortSignal)) {
    throw new InvalidTypeError('signal', 'an AbortSignal', value);
  }
}
