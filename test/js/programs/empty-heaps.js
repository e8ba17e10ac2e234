// Many heaps with little in them end: destroyed, or dropped. Prints how much memory they had, and how much stays.
const { Heap, processStats } = require('miheap');

const committed = () => processStats().allocator.committed.current;
let heaps = Array.from({ length: 2000 }, () => {
  const heap = new Heap();
  heap.alloc(100);
  return heap;
});
const peak = committed();
if (process.argv[2] === 'destroy') for (const heap of heaps) heap.destroy();
heaps = undefined;
gc();
const end = performance.now() + 10_000;
const timer = setInterval(() => {
  if (committed() > peak / 10 && performance.now() < end) return;
  clearInterval(timer);
  console.log(JSON.stringify({ peak, left: committed() }));
}, 20);
