// Blocks and pools that nobody releases: their memory, and their place in the pool, come back.
const { Worker, isMainThread } = require('node:worker_threads');
const { Heap, Pool, processStats } = require('miheap');

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
async function collect() {
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await turn();
  }
}
const held = () => {
  const { heldBytes, heldBlocks } = processStats();
  return [heldBytes, heldBlocks];
};

// Functions of their own: a suspended one keeps what its variables last had.
function dropPools() {
  for (let i = 0; i < 10; i++) {
    const dropped = new Pool({ blockSize: 10_000, prefill: 10, poison: i % 2 === 0 });
    dropped.release(dropped.acquire());
    dropped.acquire();
  }
}

function transferBlocks() {
  for (let i = 0; i < 10; i++) {
    const dropped = new Pool({ blockSize: 10_000 });
    const block = dropped.acquire();
    if (block.buffer.transfer) block.buffer.transfer();
    dropped.release(block);
    if (i % 2 === 0) dropped.destroy();
  }
}

async function main() {
  const result = {};
  result.external = new Heap().external;
  const pool = new Pool({ blockSize: 64, max: 20 });
  for (let i = 0; i < 20; i++) pool.acquire();
  let served;
  pool.acquireAsync().then((block) => {
    served = block.length;
    pool.release(block);
  });
  await collect();
  await turn();
  result.lost = pool.stats().lost;
  result.blocksAfterLoss = pool.stats().blocks - 1;
  result.waiterServed = served;
  pool.destroy();

  dropPools();
  await collect();
  result.heldAfterDrop = held();

  transferBlocks();
  await collect();
  result.heldAfterTransfer = held();

  const ends = [0, 1, 2, 3].map(
    () => new Promise((resolve) => new Worker(__filename).on('exit', resolve)),
  );
  await Promise.all(ends);
  result.heldAfterWorkers = held();
  console.log(JSON.stringify(result));
}

function work() {
  const pool = new Pool({ blockSize: 1000, max: 50, prefill: 20 });
  globalThis.kept = [pool];
  for (let i = 0; i < 30; i++) globalThis.kept.push(pool.acquire());
  for (let i = 1; i < 10; i++) pool.release(globalThis.kept[i]);
  pool.acquireAsync();
}

if (isMainThread) main();
else work();
