import { InvalidValueError } from './errors';
import type { Heap } from './heap';

/** Frees `buffer`, of `heap`; what cannot be detached is left to the garbage collector. */
export function freeOrLeave(heap: Heap, buffer: Buffer): void {
  try {
    heap.free(buffer);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
  }
}
