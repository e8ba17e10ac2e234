import { addAbortListener } from 'node:events';
import { InvalidTypeError } from './errors';

// So that nothing a signal was made to do can run while somebody joins or leaves.
const { addEventListener, removeEventListener } = EventTarget.prototype;

/**
 * Makes a listener hear of an abort also where another calls stopImmediatePropagation. Node has no public
 * name for that; `addAbortListener` (Node 18.18) hands it to the signal.
 */
const unstoppable = optionsOfAddAbortListener();

function optionsOfAddAbortListener(): object {
  let options: object = {};
  const signal = {
    aborted: false,
    addEventListener: (_type: string, _listener: unknown, given: object) => {
      options = given;
    },
  };
  try {
    addAbortListener(signal as unknown as AbortSignal, () => {});
  } catch {
    // There is none, or it takes nothing but a signal.
  }
  return options;
}

/** One who waits: settled once, and then in no queue and with no signal. */
interface Waiter<T> {
  resolve(value: T): void;
  reject(reason: unknown): void;
  signal: AbortSignal | undefined;
  previous: Waiter<T> | undefined;
  next: Waiter<T> | undefined;
}

/** Those who wait with the same signal, which has one listener for all of them. */
interface Group<T> {
  waiters: Set<Waiter<T>>;
  onAbort: () => void;
}

/** Those who wait, first come first served. Leaving, from anywhere in the queue, takes one step. */
export class Waiters<T> {
  #first: Waiter<T> | undefined;
  #last: Waiter<T> | undefined;
  #count = 0;
  readonly #groups = new Map<AbortSignal, Group<T>>();

  get count(): number {
    return this.#count;
  }

  /** Waits at the end of the queue. When `signal` aborts, the promise rejects with its reason. */
  join(signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const previous = this.#last;
      const waiter: Waiter<T> = { resolve, reject, signal, previous, next: undefined };
      if (previous === undefined) this.#first = waiter;
      else previous.next = waiter;
      this.#last = waiter;
      this.#count++;
      if (signal) this.#groupOf(signal).waiters.add(waiter);
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

  #groupOf(signal: AbortSignal): Group<T> {
    const known = this.#groups.get(signal);
    if (known !== undefined) return known;
    const group: Group<T> = { waiters: new Set(), onAbort: () => this.#abort(signal) };
    this.#groups.set(signal, group);
    addEventListener.call(signal, 'abort', group.onAbort, unstoppable);
    return group;
  }

  #abort(signal: AbortSignal): void {
    const { reason } = signal;
    for (const waiter of this.#groups.get(signal)?.waiters ?? []) {
      this.#leave(waiter);
      waiter.reject(reason);
    }
  }

  #leave(waiter: Waiter<T>): void {
    const { previous, next, signal } = waiter;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    this.#count--;
    if (signal) this.#leaveGroup(signal, waiter);
  }

  #leaveGroup(signal: AbortSignal, waiter: Waiter<T>): void {
    const group = this.#groups.get(signal);
    if (group === undefined) return;
    group.waiters.delete(waiter);
    if (group.waiters.size > 0) return;
    this.#groups.delete(signal);
    removeEventListener.call(signal, 'abort', group.onAbort);
  }
}

export function checkSignal(value: unknown): asserts value is AbortSignal | undefined {
  if (value !== undefined && !(value instanceof AbortSignal)) {
    throw new InvalidTypeError('signal', 'an AbortSignal', value);
  }
}
