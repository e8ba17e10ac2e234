// What the package promises, in small independent pieces, for runtimes where jest does not run.
//
//   RUNTIME checks.js --list     the names, a line each
//   RUNTIME checks.js NAME       runs one; exit code 0 if it holds
const assert = require('node:assert');
const { Heap, Pool, processStats, Region } = require('../../dist/index.js');

const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

const checks = {
  'Heap: a buffer is cleared, can be written and is freed'() {
    const heap = new Heap();
    const buffer = heap.alloc(100_000);
    assert(buffer.every((byte) => byte === 0));
    buffer.fill(7);
    assert.strictEqual(heap.stats().bytes, 100_000);
    heap.free(buffer);
    assert.strictEqual(heap.stats().bytes, 0);
  },

  'Heap: free detaches every view'() {
    const heap = new Heap();
    const buffer = heap.alloc(4096);
    const views = [buffer.subarray(10), new Float64Array(buffer.buffer)];
    heap.free(buffer);
    assert.deepStrictEqual([buffer.length, ...views.map((view) => view.length)], [0, 0, 0]);
    assert.strictEqual(buffer.buffer.byteLength, 0);
  },

  'Heap: a limit, a foreign and a freed buffer are errors with a code'() {
    const heap = new Heap({ limit: 1000 });
    assert.throws(() => heap.alloc(1001), { code: 'ERR_MIHEAP_LIMIT' });
    assert.throws(() => heap.free(Buffer.alloc(10)), { code: 'ERR_MIHEAP_NOT_OWNED' });
    const buffer = heap.alloc(10);
    heap.free(buffer);
    assert.throws(() => heap.free(buffer), { code: 'ERR_MIHEAP_ALREADY_FREED' });
  },

  'Heap: realloc keeps what is in the block'() {
    const heap = new Heap();
    const old = heap.alloc(5000).fill(3);
    const grown = heap.realloc(old, 50_000);
    assert.strictEqual(old.length, 0);
    assert(grown.subarray(0, 5000).every((byte) => byte === 3));
    assert(grown.subarray(5000).every((byte) => byte === 0));
  },

  'Heap: destroy ends every buffer'() {
    const heap = new Heap();
    const buffers = Array.from({ length: 50 }, (_, i) => heap.alloc(100 * i + 1));
    heap.destroy();
    assert(buffers.every((buffer) => buffer.length === 0));
    assert.strictEqual(processStats().heldBytes, 0);
  },

  async 'Heap: what nobody frees comes back by garbage collection'() {
    const gc = globalThis.gc ?? globalThis.Bun?.gc.bind(null, true);
    assert(gc, 'no way to ask for a garbage collection');
    const heap = new Heap();
    (() => {
      for (let i = 0; i < 1000; i++) heap.alloc(10_000);
    })();
    for (let i = 0; i < 50 && heap.stats().blocks > 10; i++) {
      gc();
      await turn();
    }
    assert(heap.stats().blocks <= 10, `${heap.stats().blocks} of 1000 blocks never came back`);
  },

  'Pool: a block goes round, and only once'() {
    const pool = new Pool({ blockSize: 4096, max: 2 });
    const first = pool.acquire();
    const second = pool.acquire();
    assert.throws(() => pool.acquire(), { code: 'ERR_MIHEAP_POOL_EXHAUSTED' });
    pool.release(first);
    assert.throws(() => pool.release(first), { code: 'ERR_MIHEAP_ALREADY_RELEASED' });
    assert.strictEqual(pool.acquire(), first);
    pool.destroy();
    assert.deepStrictEqual([first.length, second.length], [0, 0]);
  },

  async 'Pool: acquireAsync waits its turn'() {
    const pool = new Pool({ blockSize: 100, max: 1 });
    const block = pool.acquire();
    const [second, third] = [pool.acquireAsync(), pool.acquireAsync()];
    pool.release(block);
    assert.strictEqual(await second, block);
    pool.release(block);
    assert.strictEqual(await third, block);
    const aborted = pool.acquireAsync(AbortSignal.timeout(20));
    await assert.rejects(aborted, { name: 'TimeoutError' });
  },

  'Region: all buffers end at once'() {
    const region = new Region();
    const buffers = Array.from({ length: 1000 }, (_, i) => region.alloc(i + 1).fill(1));
    const doubles = region.allocTyped(Float64Array, 1000);
    region.reset();
    assert(buffers.every((buffer) => buffer.length === 0));
    assert.strictEqual(doubles.length, 0);
    assert(region.alloc(1000).every((byte) => byte === 0));
  },

  'Region: rewind ends what came after the mark'() {
    const region = new Region();
    const before = region.alloc(100).fill(1);
    const mark = region.mark();
    const after = region.alloc(100);
    region.rewind(mark);
    assert.deepStrictEqual([before.length, after.length], [100, 0]);
  },

  async 'Workers: a block moves there and back without a copy'() {
    const { Worker } = require('node:worker_threads');
    const program = `
      const { Heap } = require(${JSON.stringify(require.resolve('../../dist/index.js'))});
      const { parentPort } = require('node:worker_threads');
      const heap = new Heap();
      parentPort.on('message', (token) => {
        const buffer = heap.adopt(token);
        buffer[0]++;
        parentPort.postMessage(heap.transfer(buffer));
      });`;
    const worker = new Worker(program, { eval: true });
    const heap = new Heap();
    const answer = new Promise((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
    });
    const buffer = heap.alloc(100_000).fill(6);
    worker.postMessage(heap.transfer(buffer));
    const token = await answer;
    const back = heap.adopt(token);
    assert.deepStrictEqual([buffer.length, back.length, back[0], back[1]], [0, 100_000, 7, 6]);
    assert.throws(() => heap.adopt(token), { code: 'ERR_MIHEAP_TOKEN' });
    await worker.terminate();
  },

  async 'Workers: each has heaps of its own, which end with it'() {
    const { Worker } = require('node:worker_threads');
    const program = `
      const { Heap } = require(${JSON.stringify(require.resolve('../../dist/index.js'))});
      const { parentPort } = require('node:worker_threads');
      globalThis.kept = new Heap().alloc(1_000_000).fill(1);
      parentPort.postMessage(kept.length);`;
    const worker = new Worker(program, { eval: true });
    const length = await new Promise((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
    });
    assert.strictEqual(length, 1_000_000);
    await worker.terminate();
    for (let i = 0; i < 50 && processStats().heldBytes > 0; i++) await turn();
    assert.strictEqual(processStats().heldBytes, 0);
  },
};

async function main([name]) {
  if (name === '--list') console.log(Object.keys(checks).join('\n'));
  else await checks[name]();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(String(error.message).split('\n').slice(0, 3).join(' '));
  process.exit(1);
});
