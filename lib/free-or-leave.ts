import { InvalidValueError } from './errors';
import type { Heap } from './heap';
import type { BufferLike } from './heap-types';

/** Frees `buffer`, which is of `heap`. If it cannot be detached, leaves it to the garbage collector. */
export function freeOrLeave(heap: Heap, buffer: BufferLike): void {
  try {
    heap.free(buffer);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
  }
}
