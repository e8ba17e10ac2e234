// What is measured. Each operation writes to what it got and reads it, so that nothing can be left out.
// Each kind of contender is a function of its own: the compiler learns nothing from one about another.
import { Heap, Pool, Region } from 'miheap';

const PAGE = 4096;
/** Bytes that a region hands out before it is reset, like a request that ends. */
const REQUEST = 1 << 20;

export let checksum = 0;

function useBuffer(size) {
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const buffer = Buffer.allocUnsafe(size);
      buffer[0] = i;
      sum = (sum + buffer.length) | 0;
    }
    checksum ^= sum;
  };
}

function usePool(size) {
  const pool = new Pool({ blockSize: size });
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const buffer = pool.acquire();
      buffer[0] = i;
      sum = (sum + buffer.length) | 0;
      pool.release(buffer);
    }
    checksum ^= sum;
  };
}

function useRegion(size) {
  const region = new Region();
  const perRequest = Math.max(1, Math.floor(REQUEST / size));
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const buffer = region.alloc(size);
      buffer[0] = i;
      sum = (sum + buffer.length) | 0;
      if (i % perRequest === 0) region.reset();
    }
    checksum ^= sum;
  };
}

function touchSlowBuffer(size) {
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const buffer = Buffer.allocUnsafeSlow(size);
      for (let at = 0; at < size; at += PAGE) buffer[at] = i;
      sum = (sum + buffer.length) | 0;
    }
    checksum ^= sum;
  };
}

function touchHeap(size) {
  const heap = new Heap();
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const buffer = heap.alloc(size);
      for (let at = 0; at < size; at += PAGE) buffer[at] = i;
      sum = (sum + buffer.length) | 0;
      heap.free(buffer);
    }
    checksum ^= sum;
  };
}

function touchHeapUnsafe(size) {
  const heap = new Heap();
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const buffer = heap.allocUnsafe(size);
      for (let at = 0; at < size; at += PAGE) buffer[at] = i;
      sum = (sum + buffer.length) | 0;
      heap.free(buffer);
    }
    checksum ^= sum;
  };
}

const KiB = 1024;
const MiB = 1024 * KiB;
/** `targets` by size. Nothing is made before its turn: a dead pool is no burden to the next row. */
const perSize = (targets, ours, theirs, names) =>
  Object.entries(targets).map(([size, target]) => ({
    ...names,
    size: Number(size),
    target,
    make: () => ({ ours: ours(Number(size)), theirs: theirs(Number(size)) }),
  }));

/**
 * What is compared. `target` is how many times faster ours has to be; null where that was not set.
 * Heap.alloc clears its memory. Buffer.allocUnsafeSlow does not, and neither does Heap.allocUnsafe.
 */
export const cases = [
  ...perSize(
    { 64: 3, 256: null, [KiB]: null, [4 * KiB]: null, [16 * KiB]: 10, [64 * KiB]: 10, [MiB]: 10 },
    usePool,
    useBuffer,
    { our: 'Pool.acquire + release', their: 'Buffer.allocUnsafe' },
  ),
  ...perSize({ 64: 1, 256: 1, [KiB]: 1, [4 * KiB]: 1 }, useRegion, useBuffer, {
    our: 'Region.alloc',
    their: 'Buffer.allocUnsafe',
  }),
  ...perSize({ [64 * KiB]: 1, [MiB]: 5, [4 * MiB]: 5 }, touchHeapUnsafe, touchSlowBuffer, {
    our: 'Heap.allocUnsafe + write + free',
    their: 'Buffer.allocUnsafeSlow + write',
  }),
  ...perSize({ [64 * KiB]: 1, [MiB]: 5, [4 * MiB]: 5 }, touchHeap, touchSlowBuffer, {
    our: 'Heap.alloc + write + free',
    their: 'Buffer.allocUnsafeSlow + write',
  }),
];
