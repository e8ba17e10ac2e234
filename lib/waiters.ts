import { addAbortListener } from 'node:events';
import { InvalidTypeError } from './errors';

// Taken once, so that no method that a program gave a signal runs while a waiter joins or leaves.
const { addEventListener, removeEventListener } = EventTarget.prototype;

/**
 * The options of a listener that hears of an abort even if another one calls stopImmediatePropagation. Node
 * has no public name for them, but `addAbortListener` (Node 18.18) hands them to the signal.
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
    // This Node has no addAbortListener, or one that takes nothing but a signal.
  }
  // An event that only looks like an abort must not use up the listener.
  return Object.assign(Object.create(null), options, { once: false });
}

/** A promise that waits. It is settled once, after it has left the queue and the group of its signal. */
interface Waiter<T> {
  resolve(value: T): void;
  reject(reason: unknown): void;
  signal: AbortSignal | undefined;
  previous: Waiter<T> | undefined;
  next: Waiter<T> | undefined;
}

/** The waiters with one signal, which has one listener for all of them. */
interface Group<T> {
  waiters: Set<Waiter<T>>;
  onAbort: () => void;
}

/** A queue of waiters, first come first served. Leaving from anywhere in the queue takes constant time. */
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
      // First: if it throws, nothing must wait.
      const group = signal && this.#groupOf(signal);
      const previous = this.#last;
      const waiter: Waiter<T> = { resolve, reject, signal, previous, next: undefined };
      if (previous === undefined) this.#first = waiter;
      else previous.next = waiter;
      this.#last = waiter;
      this.#count++;
      group?.waiters.add(waiter);
    });
  }

  /** Resolves the waiter that waited longest with `value`. There must be one. */
  serve(value: T): void {
    const waiter = this.#first as Waiter<T>;
    this.#leave(waiter);
    waiter.resolve(value);
  }

  /** Rejects the waiter that waited longest with `reason`; false if none waits. */
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
    try {
      addEventListener.call(signal, 'abort', group.onAbort, unstoppable);
    } catch {
      throw new InvalidTypeError('signal', 'an AbortSignal', signal); // it only looks like one
    }
    this.#groups.set(signal, group);
    return group;
  }

  #abort(signal: AbortSignal): void {
    const { aborted, reason } = signal;
    if (!aborted) return; // the program dispatched such an event itself
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
  if (value !== undefined && !isSignal(value))
    throw new InvalidTypeError('signal', 'an AbortSignal', value);
}

function isSignal(value: unknown): boolean {
  try {
    return value instanceof AbortSignal && typeof value.aborted === 'boolean';
  } catch {
    return false; // it only looks like one
  }
}
