// Prints what loading the package leaves open: the types of asynchronous resources that no destroy hook was called for,
// but for promises and what keeps no process alive.
const { createHook } = require('node:async_hooks');
const { setTimeout: turn } = require('node:timers/promises');

const open = new Map();
let loading = true;
createHook({
  init: (id, type, _, resource) =>
    loading && type !== 'PROMISE' && open.set(id, { type, resource }),
  destroy: (id) => open.delete(id),
}).enable();
const { Heap } = require('miheap');
const heap = new Heap();
heap.free(heap.alloc(4_000_000));
loading = false;

turn(50).then(() => {
  const left = [...open.values()].filter(({ resource }) => resource.hasRef?.() !== false);
  console.log(JSON.stringify(left.map(({ type }) => type)));
});
