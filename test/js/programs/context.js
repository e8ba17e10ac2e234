// Loads the package, and later frees a lot, each with a store in the asynchronous context. Prints for both whether the
// store goes while the program goes on.
const { AsyncLocalStorage } = require('node:async_hooks');
const { setTimeout: turn } = require('node:timers/promises');

// Node 18 itself keeps the context in which a program first requires one of its modules.
'buffer diagnostics_channel events fs os path timers util worker_threads'
  .split(' ')
  .forEach((name) => {
    require(name);
  });

const context = new AsyncLocalStorage();
let heap;

function load() {
  const { Heap } = require('miheap');
  heap = new Heap();
}

function free() {
  heap.free(heap.alloc(4_000_000));
}

function request(action) {
  const store = { request: 1 };
  context.run(store, action);
  return new WeakRef(store);
}

async function isForgotten(store) {
  for (let i = 0; i < 20 && store.deref() !== undefined; i++) {
    free(); // never idle
    await turn(20);
    globalThis.gc();
  }
  return store.deref() === undefined;
}

async function main() {
  await turn(20); // what was begun at the start is over
  const loading = await isForgotten(request(load));
  await turn(300); // what was begun as it loaded is over
  const freeing = await isForgotten(request(free));
  console.log(JSON.stringify({ loading, freeing }));
}

main();
