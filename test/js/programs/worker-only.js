// The main thread never loads the addon: workers do, and end, one after the other and together.
const { Worker } = require('node:worker_threads');

const body = `
  const { Heap } = require('miheap');
  const { parentPort } = require('node:worker_threads');
  const heap = new Heap();
  const kept = [];
  for (let i = 0; i < 1000; i++) kept.push(heap.alloc(i * 10 + 1).fill(1));
  for (let i = 0; i < 500; i++) heap.free(kept[i]);
  globalThis.kept = kept;
  parentPort.postMessage(heap.stats().blocks);
`;

function start() {
  return new Promise((resolve, reject) => {
    let blocks;
    const worker = new Worker(body, { eval: true });
    worker.on('message', (message) => {
      blocks = message;
    });
    worker.on('error', reject);
    worker.on('exit', (code) => resolve([code, blocks]));
  });
}

async function main() {
  const ends = [];
  for (let i = 0; i < 3; i++) ends.push(await start());
  ends.push(...(await Promise.all([start(), start(), start()])));
  // The addon comes back into a process that it was loaded and left in.
  const { processStats } = require('miheap');
  const { heldBytes, heldBlocks } = processStats();
  console.log(JSON.stringify({ ends, heldBytes, heldBlocks }));
}

main();
