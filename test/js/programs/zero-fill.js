// Prints whether memory that was used before is not zero in buffers that need not be cleared: here, and in a worker
// that is given nothing of what Node was told.
if (process.env.FORGETS) delete process.env.NODE_OPTIONS; // lest children inherit it
const { isMainThread, parentPort, Worker } = require('node:worker_threads');
const { Heap, Pool } = require('miheap');

const heap = new Heap();
const isDirty = (buffer) => buffer.some((byte) => byte !== 0);

for (let i = 0; i < 100; i++) heap.free(heap.allocUnsafe(10_000).fill(1));
const unsafe = heap.allocUnsafe(10_000);
const pools = Array.from({ length: 2 }, () => new Pool({ blockSize: 10_000 }));
pools[0].acquire().fill(1);
pools[0].destroy();
const dirty = { heap: isDirty(unsafe), pool: isDirty(pools[1].acquire()) };

if (isMainThread) {
  new Worker(__filename, { execArgv: [], env: {} }).once('message', (worker) => {
    console.log(JSON.stringify({ main: dirty, worker }));
  });
} else {
  parentPort.postMessage(dirty);
}
