// A peak, then silence: nobody calls collect. Prints resident memory before, at the peak, and after.
const { once } = require('node:events');
const { setTimeout } = require('node:timers'); // whatever a test replaces later
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');
const { Heap } = require('miheap');

const rss = () => process.memoryUsage().rss;
const turn = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const make = (heap) => Array.from({ length: 2000 }, () => heap.alloc(48_000).fill(1));

function loadAgain() {
  const loaded = { ...require.cache };
  const isOurs = (file) => file.includes('dist') && file.endsWith('.js');
  for (const file of Object.keys(loaded).filter(isOurs)) delete require.cache[file];
  const again = require('miheap').Heap;
  const requestCollect = again[Object.getOwnPropertySymbols(again)[0]];
  Object.assign(require.cache, loaded);
  module.children.length = 0;
  return new WeakRef(requestCollect);
}

/** Each makes a peak, and returns what ends it. */
const peaks = {
  free(heap) {
    const buffers = make(heap);
    return () => {
      for (const buffer of buffers) heap.free(buffer);
    };
  },
  /** What is free lies between blocks that live on. */
  scattered(heap) {
    const buffers = Array.from({ length: 5000 }, () => heap.alloc(20_000).fill(1));
    return () => {
      globalThis.kept = buffers.filter((_, i) => i % 4 === 0);
      for (const [i, buffer] of buffers.entries()) if (i % 4 !== 0) heap.free(buffer);
    };
  },
  realloc(heap) {
    const buffers = make(heap);
    return () => {
      for (const buffer of buffers) heap.realloc(buffer, 100);
    };
  },
  /** While a test has timers of its own (Node 20.4). */
  mocked(heap) {
    require('node:test').mock?.timers?.enable();
    return peaks.free(heap);
  },
  /** The module was loaded once more, by what has been forgotten since; nothing of that is left, even for a moment. */
  async reloaded(heap) {
    const forgotten = loadAgain();
    for (let i = 0; i < 3; i++) {
      await turn(5); // less than its timer takes
      globalThis.gc();
    }
    if (forgotten.deref() !== undefined) throw new Error('it is still there');
    return peaks.free(heap);
  },
  /** The module is loaded once more while its timer runs. */
  reloadedMeanwhile(heap) {
    const free = peaks.free(heap);
    return () => {
      free();
      loadAgain();
    };
  },
  collector(heap) {
    globalThis.kept = make(heap);
    return () => {
      globalThis.kept = undefined;
      globalThis.gc();
    };
  },
  destroy(heap) {
    globalThis.kept = make(heap);
    return () => heap.destroy();
  },
  release(heap) {
    const tokens = make(heap).map((buffer) => heap.transfer(buffer));
    return () => {
      for (const token of tokens) token.release();
    };
  },
  /** Blocks of a thread that does nothing any more. */
  async sleeper(heap) {
    const worker = new Worker(__filename, { workerData: 'offer' });
    const [tokens] = await once(worker, 'message');
    const buffers = tokens.map((token) => heap.adopt(token));
    return () => {
      for (const buffer of buffers) heap.free(buffer);
    };
  },
  async worker() {
    const worker = new Worker(__filename, { workerData: 'keep' });
    await once(worker, 'message');
    return () => worker.terminate();
  },
};

async function main() {
  const how = process.argv[2];
  const heap = new Heap();
  const before = rss();
  const end = await peaks[how](heap);
  const at = rss();
  await end();
  let after = rss();
  for (let i = 0; i < 60 && after - before > (at - before) / 2; i++) {
    await turn(50);
    after = rss();
  }
  console.log(JSON.stringify({ before, at, after }));
  process.exit();
}

if (isMainThread) {
  main();
} else {
  const heap = new Heap();
  const buffers = make(heap);
  parentPort.on('message', () => {}); // stays
  if (workerData === 'keep') globalThis.kept = buffers;
  parentPort.postMessage(
    workerData === 'offer' ? buffers.map((buffer) => heap.transfer(buffer)) : 'kept',
  );
}
