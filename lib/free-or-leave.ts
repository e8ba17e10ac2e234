import { InvalidValueError } from './errors';
import type { Heap } from './heap';
import type { BufferLike } from './heap-types';

/** Frees `buffer`, of `heap`; what cannot be detached is left to the garbage collector. */
export function freeOrLeave(heap: Heap, buffer: BufferLike): void {
  try {
    heap.free(buffer);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
  }
}
