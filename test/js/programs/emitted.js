// A worker emits `exit` by hand, as programs do that catch signals, and goes on. What was alive then is collected when it
// is garbage. Prints the bytes that are held.
const { isMainThread, Worker } = require('node:worker_threads');
const { Heap, processStats } = require('miheap');

function emit() {
  const heap = new Heap();
  const kept = Array.from({ length: 100 }, () => heap.alloc(5000));
  process.emit('exit', 0);
  return kept.length;
}

let looks = 0;

function look() {
  globalThis.gc();
  const { heldBytes } = processStats();
  if (heldBytes > 0 && ++looks < 100) setTimeout(look, 5);
  else console.log(JSON.stringify({ held: heldBytes }));
}

if (isMainThread) {
  new Worker(__filename);
} else {
  emit();
  setTimeout(look, 5);
}
