// 10,000 buffers that nobody frees, or frees twice over: explicitly, and then by the collector.
const { Heap, processStats } = require('miheap');

const COUNT = 10_000;
const SIZE = 16 * 1024;
const explicit = process.argv[2] === 'free-first';
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

async function settle() {
  for (let i = 0; i < 100 && (i < 5 || processStats().heldBlocks > 0); i++) {
    globalThis.gc();
    await turn();
  }
}

function burst(heap) {
  let buffers = [];
  for (let i = 0; i < COUNT; i++) buffers.push(heap.alloc(SIZE).fill(i & 0xff));
  const held = processStats();
  if (explicit) for (const buffer of buffers) heap.free(buffer);
  buffers = undefined;
  return held;
}

async function main() {
  const heap = new Heap();
  burst(heap);
  await settle();
  heap.collect();
  const before = process.memoryUsage().rss;
  const peak = burst(heap);
  const peakRss = process.memoryUsage().rss;
  await settle();
  heap.collect();
  const { heldBytes, heldBlocks } = processStats();
  console.log(
    JSON.stringify({
      peakBytes: peak.heldBytes,
      peakBlocks: peak.heldBlocks,
      heldBytes,
      heldBlocks,
      rssGrowth: process.memoryUsage().rss - before,
      peakGrowth: peakRss - before,
      ...heap.stats(),
    }),
  );
}

main();
