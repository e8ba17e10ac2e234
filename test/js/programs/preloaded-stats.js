// 50 MB in a heap, 200 MB in malloc: which allocator says that it holds them.
const { Heap, processStats } = require('miheap');

const before = processStats();
const buffer = new Heap().alloc(50_000_000);
// Memory that is not cleared is malloc's: V8 asks for the other kind, calloc, or mmap.
const buffers = Array.from({ length: 4 }, () => Buffer.allocUnsafeSlow(50_000_000));
const { allocator, preloaded } = processStats();

const huge = (stats) => stats?.mallocHuge.current;
console.log(
  JSON.stringify({
    mallocHuge: huge(allocator) - huge(before.allocator),
    preloadedHuge: preloaded && huge(preloaded) - huge(before.preloaded),
    preloadedRows:
      preloaded !== undefined && String(Object.keys(preloaded)) === String(Object.keys(allocator)),
    kept: [buffer, ...buffers].length,
  }),
);
