// A peak, then silence: nobody calls collect. Prints resident memory before, at the peak, and after.
const { Heap } = require('miheap');

const rss = () => process.memoryUsage().rss;
const turn = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const byCollector = process.argv[2] === 'collector';

function peak(heap) {
  const buffers = Array.from({ length: 2000 }, () => heap.alloc(48_000).fill(1));
  const at = rss();
  if (!byCollector) for (const buffer of buffers) heap.free(buffer);
  return at;
}

async function main() {
  const heap = new Heap();
  const before = rss();
  const at = peak(heap);
  await turn(0);
  if (byCollector) globalThis.gc();
  let after = rss();
  for (let i = 0; i < 40 && after - before > (at - before) / 2; i++) {
    await turn(50);
    after = rss();
  }
  console.log(JSON.stringify({ before, at, after }));
}

main();
