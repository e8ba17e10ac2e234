// A worker is terminated while it is inside of a call that takes milliseconds: it clears, or copies,
// tens of megabytes again and again.
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');
const { Heap, processStats } = require('miheap');

const SIZE = 32 * 1024 * 1024;
const turn = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const calls = {
  alloc(heap) {
    for (;;) heap.free(heap.alloc(SIZE));
  },
  realloc(heap) {
    for (let buffer = heap.alloc(SIZE), i = 0; ; i++) {
      buffer = heap.realloc(buffer, SIZE + (i % 2) * SIZE);
    }
  },
  adopt(heap) {
    for (let buffer = heap.alloc(SIZE); ; ) {
      const token = heap.share(heap.adopt(heap.transfer(buffer)));
      buffer = heap.realloc(heap.adopt(token), SIZE);
      token.release();
    }
  },
};

async function main() {
  const codes = [];
  for (let round = 0; round < 9; round++) {
    const worker = new Worker(__filename, { workerData: Object.keys(calls)[round % 3] });
    await new Promise((resolve) => worker.once('message', resolve));
    await turn(20 + round * 7);
    codes.push(await worker.terminate());
  }
  const { heldBytes, heldBlocks } = processStats();
  console.log(JSON.stringify({ codes, heldBytes, heldBlocks }));
}

if (isMainThread) {
  main();
} else {
  parentPort.postMessage('running');
  calls[workerData](new Heap());
}
