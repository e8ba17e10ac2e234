// A peak ends, and the program is never idle again, but needs little memory. Prints how much memory went back.
const { Heap } = require('miheap');

const MIB = 1 << 20;
const PEAK = 256;
const rss = () => process.memoryUsage().rss / MIB;

const heap = new Heap();
const buffers = Array.from({ length: PEAK }, () => heap.alloc(MIB).fill(1));
const peak = rss();
const end = performance.now() + 10_000;
for (const buffer of buffers) heap.free(buffer);

const timer = setInterval(() => {
  heap.free(heap.alloc(2000));
  const returned = peak - rss();
  if (returned < PEAK - PEAK / 8 && performance.now() < end) return;
  clearInterval(timer);
  console.log(JSON.stringify({ returned }));
}, 20);
