import { channel } from 'node:diagnostics_channel';
import { HeapLimitError } from './errors';

/** What is published on the channel `miheap:limit`. */
export interface LimitMessage {
  /** The heap's name; empty if it has none. */
  name: string;
  /** The most bytes that the heap may hold. */
  limit: number;
  /** Bytes that were asked for, beyond those held. */
  requested: number;
  /** Bytes held by buffers that the program can still reach, as far as the garbage collector knows. */
  liveBytes: number;
  /** Bytes that are garbage: they come back when the event loop turns. */
  waitingBytes: number;
}

const limitChannel = channel('miheap:limit');

/** Tells who subscribed that a limit was hit, and makes the error. */
export function limitReached(message: LimitMessage): HeapLimitError {
  if (limitChannel.hasSubscribers) limitChannel.publish(message);
  return new HeapLimitError(message);
}
