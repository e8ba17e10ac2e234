// Frees a lot with a store in the asynchronous context. Prints whether the store goes while the program goes on.
const { AsyncLocalStorage } = require('node:async_hooks');
const { setTimeout: turn } = require('node:timers/promises');
const { Heap } = require('miheap');

const heap = new Heap();
const context = new AsyncLocalStorage();

function request() {
  const store = { request: 1 };
  context.run(store, () => heap.free(heap.alloc(4_000_000)));
  return new WeakRef(store);
}

async function main() {
  await turn(300); // what was begun at the start is over
  const store = request();
  for (let i = 0; i < 20 && store.deref() !== undefined; i++) {
    heap.free(heap.alloc(100)); // never idle
    await turn(20);
    globalThis.gc();
  }
  console.log(JSON.stringify({ collected: store.deref() === undefined }));
}

main();
