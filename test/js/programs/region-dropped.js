// Regions that nobody destroys: their memory comes back, once no buffer of theirs is left.
const { Worker, isMainThread } = require('node:worker_threads');
const { Heap, Region, processStats } = require('miheap');

async function collect() {
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const held = () => processStats().heldBlocks;
const kept = [];

function dropRegions() {
  for (let i = 0; i < 20; i++) {
    const region = new Region({ chunkSize: 1000 });
    const buffer = region.alloc(100);
    if (i === 10) kept.push(buffer);
    region.mark();
    region.alloc(5000);
    region.allocTyped(Float64Array, 50);
  }
}

function work() {
  const region = new Region();
  globalThis.kept = [region];
  for (let i = 0; i < 1000; i++) globalThis.kept.push(region.alloc(i * 10), region.mark());
}

async function main() {
  const result = { external: new Heap().external };
  dropRegions();
  await collect();
  result.keptLength = kept[0].fill(1).length;
  result.heldAfterDrop = held();
  kept.length = 0;
  await collect();
  result.heldAfterUse = held();
  await Promise.all(
    [0, 1, 2, 3].map(() => new Promise((resolve) => new Worker(__filename).on('exit', resolve))),
  );
  result.heldAfterWorkers = held();
  console.log(JSON.stringify(result));
}

if (isMainThread) main();
else work();
