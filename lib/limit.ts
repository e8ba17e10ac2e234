import { channel } from 'node:diagnostics_channel';
import { HeapLimitError, RegionLimitError } from './errors';

/** What is published on the channel `miheap:limit`. */
export interface LimitMessage {
  /** The name of the heap or the region; empty if it has none. */
  name: string;
  /** The most bytes that it may hold. */
  limit: number;
  /** Bytes that were asked for, beyond those held. */
  requested: number;
  /** Bytes held by buffers that the program can still reach, as far as the garbage collector knows. */
  liveBytes: number;
  /** Bytes that are garbage: they come back when the event loop turns. */
  waitingBytes: number;
}

const limitChannel = channel('miheap:limit');

function publish(message: LimitMessage): void {
  if (limitChannel.hasSubscribers) limitChannel.publish(message);
}

/** Publishes that a heap's limit was reached, and makes the error. */
export function limitReached(message: LimitMessage): HeapLimitError {
  publish(message);
  return new HeapLimitError(message);
}

/** Publishes that a region's limit was reached, and makes the error. The region's chunks have `bytes`. */
export function regionLimitReached(
  name: string,
  limit: number,
  requested: number,
  bytes: number,
): RegionLimitError {
  publish({ name, limit, requested, liveBytes: bytes, waitingBytes: 0 });
  return new RegionLimitError(name, limit, requested, bytes);
}
