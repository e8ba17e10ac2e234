// In a runtime that forbids external buffers: a block outlives the ArrayBuffer it was moved out of.
const { Heap, processStats } = require('miheap');

async function main() {
  const heap = new Heap();
  const moved = heap.allocArrayBuffer(1000).transfer();
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const before = processStats().heldBlocks;
  heap.free(moved);
  const after = processStats().heldBlocks;
  console.log(JSON.stringify({ before, after, length: moved.byteLength }));
}

main();
