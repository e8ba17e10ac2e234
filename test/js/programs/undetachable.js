// Heaps of asm.js modules in a heap, a region and a pool that are destroyed, then dropped.
const { Heap, Pool, processStats, Region } = require('miheap');
const useAsHeap = require('./asm');

const SIZE = 65536;
const pin = (buffer) => useAsHeap(buffer.buffer);

function makeAndDestroy() {
  const heap = new Heap();
  const region = new Region({ chunkSize: SIZE });
  const pool = new Pool({ blockSize: SIZE });
  const modules = [heap.alloc(SIZE), region.alloc(SIZE), pool.acquire(), pool.acquire()].map(pin);
  heap.destroy();
  region.destroy();
  pool.destroy();
  return [modules.length, processStats().heldBlocks];
}

async function main() {
  const [, heldBefore] = makeAndDestroy();
  for (let i = 0; i < 50 && processStats().heldBlocks > 0; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  console.log(JSON.stringify({ heldBefore, heldAfter: processStats().heldBlocks }));
}

main();
