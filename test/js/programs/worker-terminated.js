// Workers are terminated at any moment while they allocate, free and are collected.
const { Worker } = require('node:worker_threads');
const { Heap, processStats } = require('miheap');

const body = `
  const { Heap } = require('miheap');
  const { parentPort } = require('node:worker_threads');
  const heap = new Heap();
  const other = new Heap();
  const kept = [];
  function step() {
    for (let i = 0; i < 200; i++) {
      kept.push(heap.alloc(1 + ((i * 977) % 20000)).fill(i));
      if (i % 3 === 0) heap.free(kept.splice((i * 31) % kept.length, 1)[0]);
      if (i % 5 === 4) kept.push(heap.realloc(kept.shift(), 1 + ((i * 311) % 9000)));
      other.alloc(100);
    }
    while (kept.length > 2000) kept.shift();
    setImmediate(step);
  }
  step();
  parentPort.postMessage('running');
`;

const turn = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function main() {
  const heap = new Heap();
  const mine = heap.alloc(100_000).fill(9);
  const codes = [];
  let heldMeanwhile = 0;
  for (let round = 0; round < 6; round++) {
    const workers = [new Worker(body, { eval: true }), new Worker(body, { eval: true })];
    await Promise.all(workers.map((worker) => new Promise((go) => worker.once('message', go))));
    await turn(round * 15);
    heldMeanwhile = Math.max(heldMeanwhile, processStats().heldBytes);
    codes.push(...(await Promise.all(workers.map((worker) => worker.terminate()))));
  }
  const untouched = mine.every((byte) => byte === 9);
  heap.free(mine);
  const { heldBytes, heldBlocks } = processStats();
  console.log(JSON.stringify({ codes, heldMeanwhile, untouched, heldBytes, heldBlocks }));
}

main();
