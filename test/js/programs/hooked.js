// An async hook of the program runs while a heap is being destroyed, and uses that heap; and another one, which destroys
// a heap that is about to offer an empty buffer. Prints what they find.
const { createHook } = require('node:async_hooks');
const { Heap } = require('miheap');

function codeOf(attempt) {
  try {
    attempt();
    return 'done';
  } catch ({ code }) {
    return code;
  }
}

const other = new Heap();
const empty = other.alloc(0);
const destroyer = createHook({ init: () => other.destroy() }).enable();
const offered = codeOf(() => other.share(empty));
destroyer.disable();

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
    for (const attempt of attempts.splice(0)) found.push(codeOf(attempt));
  },
}).enable();
heap.destroy();
console.log(JSON.stringify({ destroyed: heap.destroyed, found, offered }));
