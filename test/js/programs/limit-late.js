// A heap is full of what becomes garbage only after a first look found none. Prints how long that look took, and how
// long it took until there was room, in milliseconds.
const { Heap } = require('miheap');

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

function fits(heap) {
  try {
    heap.alloc(1000);
    return true;
  } catch {
    return false;
  }
}

function timed(action) {
  const start = performance.now();
  action();
  return performance.now() - start;
}

async function main() {
  const heap = new Heap({ limit: 100_000_000 });
  let kept = Array.from({ length: 100_000 }, () => heap.alloc(1000));
  const look = timed(() => fits(heap));
  const count = kept.length;
  kept = undefined;
  const start = performance.now();
  while (!fits(heap)) await turn();
  console.log(JSON.stringify({ count, look, wait: performance.now() - start }));
}

main();
