// An async hook of the program runs while a heap is being destroyed, and uses that heap. Prints what it finds.
const { createHook } = require('node:async_hooks');
const { Heap } = require('miheap');

const heap = new Heap();
const token = heap.share(heap.alloc(10));
const buffers = [heap.alloc(4_000_000), heap.alloc(10)];
const found = [];
const attempts = [
  () => heap.alloc(100),
  () => heap.adopt(token),
  () => heap.free(buffers[1]),
  () => heap.stats(),
];

createHook({
  before() {
    for (const attempt of attempts.splice(0)) {
      try {
        attempt();
        found.push('done');
      } catch ({ code }) {
        found.push(code);
      }
    }
  },
}).enable();
heap.destroy();
console.log(JSON.stringify({ destroyed: heap.destroyed, found }));
