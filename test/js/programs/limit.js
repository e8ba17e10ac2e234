// A program that frees nothing and runs into the limit again and again: it has to wait for the garbage
// collector, without --expose-gc, and nothing else makes the collector run.
const { Heap } = require('miheap');

const heap = new Heap({ limit: 1_000_000 });
const kept = heap.alloc(100_000);

function fill() {
  for (let i = 0; i < 1000; i++) heap.alloc(50_000);
}

async function main() {
  let rounds = 0;
  let error;
  for (; rounds < 50; rounds++) {
    try {
      fill();
    } catch (thrown) {
      error = thrown;
    }
    if (error === undefined) break;
    if (error.code !== 'ERR_MIHEAP_LIMIT' || error.liveBytes + error.waitingBytes !== 1_000_000) {
      throw error;
    }
    for (let turn = 0; heap.stats().bytes > error.liveBytes; turn++) {
      if (turn === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  console.log(JSON.stringify({ rounds, live: error?.liveBytes }));
  heap.free(kept);
}

main();
