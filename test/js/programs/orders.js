// Every order in which a block can end. Each row of the output is what is held after it: nothing.
const vm = require('node:vm');
const { Heap, Pool, processStats, Region, releaseToken } = require('miheap');

const COUNT = 200;
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
const collect = async () => {
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await turn();
  }
};
const repeat = (action) => {
  for (let i = 0; i < COUNT; i++) action(i);
};
const make = () => ({ heap: new Heap(), buffers: [] });
const fill = ({ heap, buffers }) => repeat((i) => buffers.push(heap.alloc(i * 50 + 1)));

const orders = {
  async 'free, collect, destroy'(o) {
    fill(o);
    for (const buffer of o.buffers) o.heap.free(buffer);
    await collect();
    o.heap.destroy();
  },
  async 'free, drop, collect, same addresses in use'(o) {
    fill(o);
    for (const buffer of o.buffers.splice(0)) o.heap.free(buffer);
    fill(o);
    for (const buffer of o.buffers) buffer.fill(0x5a);
    await collect();
    if (!o.buffers.every((b) => b.length > 0 && b.every((byte) => byte === 0x5a))) {
      throw new Error('a finaliser freed a block that was in use again');
    }
    for (const buffer of o.buffers) o.heap.free(buffer);
  },
  async 'destroy, drop, collect'(o) {
    fill(o);
    o.heap.destroy();
    o.buffers.length = 0;
    await collect();
  },
  async 'drop, destroy, collect'(o) {
    fill(o);
    o.buffers.length = 0;
    o.heap.destroy();
    await collect();
  },
  async 'drop, collected but not yet finalised, destroy'(o) {
    fill(o);
    o.buffers.length = 0;
    globalThis.gc();
    o.heap.destroy();
    await collect();
  },
  async 'heap dropped before its buffers'(o) {
    fill(o);
    o.heap = undefined;
    await collect();
    for (const buffer of o.buffers) buffer.fill(1);
    o.buffers.length = 0;
    await collect();
  },
  async 'buffers dropped before the heap'(o) {
    fill(o);
    o.buffers.length = 0;
    await collect();
    o.heap = undefined;
    await collect();
  },
  async 'realloc, drop, collect'(o) {
    fill(o);
    o.buffers = o.buffers.map((buffer) => o.heap.realloc(buffer, 3000));
    await collect();
    o.buffers.length = 0;
    await collect();
  },
  async 'realloc, free, collect'(o) {
    fill(o);
    for (const buffer of o.buffers) o.heap.free(o.heap.realloc(buffer, 3000));
    await collect();
  },
};

const tokens = {
  async 'offer, adopt, free'(o) {
    fill(o);
    const other = new Heap();
    for (const buffer of o.buffers) other.free(other.adopt(o.heap.transfer(buffer)));
    await collect();
  },
  async 'offer, adopt, drop, collect'(o) {
    fill(o);
    o.buffers = o.buffers.map((buffer) => o.heap.adopt(o.heap.transfer(buffer)));
    await collect();
    o.buffers.length = 0;
    await collect();
  },
  async 'offer, destroy, collect, adopt, destroy'(o) {
    fill(o);
    const sent = o.buffers.map((buffer) => o.heap.transfer(buffer));
    o.heap.destroy();
    await collect();
    const other = new Heap();
    for (const token of sent) other.adopt(token).fill(1);
    other.destroy();
  },
  async 'offer, release, collect'(o) {
    fill(o);
    for (const buffer of o.buffers) releaseToken(structuredClone(o.heap.transfer(buffer)));
    await collect();
  },
  async 'share, adopt twice, free in any order, release'(o) {
    fill(o);
    const other = new Heap();
    for (const [i, buffer] of o.buffers.entries()) {
      const token = o.heap.share(buffer);
      const ends = [
        () => o.heap.free(buffer),
        () => token.release(),
        (
          (adopted) => () =>
            other.free(adopted)
        )(other.adopt(token)),
        (
          (adopted) => () =>
            o.heap.free(adopted)
        )(o.heap.adopt(token)),
      ];
      for (let left = 4; left > 0; left--) ends.splice((i * 7) % left, 1)[0]();
    }
  },
  async 'share, adopt, drop one, collect, use and free the other'(o) {
    fill(o);
    const shared = o.buffers.splice(0).map((buffer) => o.heap.share(buffer.fill(7)));
    const adopted = shared.map((token) => o.heap.adopt(token));
    for (const token of shared) token.release();
    await collect();
    if (!adopted.every((buffer) => buffer.every((byte) => byte === 7))) throw new Error('lost');
    for (const buffer of adopted) o.heap.free(buffer);
  },
  async 'share, destroy, adopt, drop, collect'(o) {
    fill(o);
    const shared = o.buffers.splice(0).map((buffer) => o.heap.share(buffer));
    o.heap.destroy();
    const other = new Heap();
    for (const token of shared) {
      other.adopt(token).fill(1);
      token.release();
    }
    await collect();
  },
  async 'share, realloc, offer, free'(o) {
    fill(o);
    for (const buffer of o.buffers) {
      const token = o.heap.share(buffer);
      const resized = o.heap.realloc(buffer, 3000);
      const adopted = o.heap.adopt(o.heap.transfer(o.heap.adopt(token)));
      token.release();
      o.heap.free(o.heap.realloc(adopted, 3000));
      o.heap.free(resized);
    }
  },
};

const together = {
  async 'region: reset, drop, collect, destroy'() {
    const region = new Region({ chunkSize: 4096 });
    for (let round = 0; round < 3; round++) {
      repeat((i) => region.alloc(i * 10 + 1).fill(1));
      region.reset();
      await collect();
    }
    repeat((i) => region.alloc(i * 10 + 1));
    region.destroy();
  },
  async 'region: rewind, dropped with its buffers, collect'() {
    let region = new Region({ chunkSize: 4096 });
    const mark = region.mark();
    repeat((i) => region.alloc(i * 10 + 1));
    region.rewind(mark);
    repeat((i) => region.alloc(i * 10 + 1));
    region = undefined;
    await collect();
  },
  async 'pool: release, drop, collect, destroy'() {
    const pool = new Pool({ blockSize: 1000, prefill: 10 });
    repeat((i) => {
      const buffer = pool.acquire();
      if (i % 2 === 0) pool.release(buffer);
    });
    await collect();
    pool.destroy();
  },
};

const elsewhere = {
  async 'views in another context, free, drop'(o) {
    fill(o);
    const context = vm.createContext({ buffers: o.buffers });
    vm.runInContext('views = buffers.map(({ buffer }) => new DataView(buffer))', context);
    for (const buffer of o.buffers) o.heap.free(buffer);
    const views = vm.runInContext('views.filter((v) => v.buffer.byteLength > 0).length', context);
    if (views !== 0) throw new Error('free missed a view');
    await collect();
  },
  async 'only in another context, which is dropped'(o) {
    fill(o);
    const context = vm.createContext({ buffers: o.buffers.splice(0) });
    vm.runInContext('views = buffers.map((b) => new Int8Array(b.buffer)); buffers = 0', context);
    await collect();
  },
  async 'freed by the finaliser of something else'(o) {
    fill(o);
    let freed = 0;
    const registry = new FinalizationRegistry((buffer) => {
      o.heap.free(buffer);
      freed++;
    });
    for (const buffer of o.buffers.splice(0)) registry.register({}, buffer);
    for (let i = 0; i < 100 && freed < COUNT; i++) await collect();
    if (freed < COUNT) throw new Error('no finaliser ran');
  },
  async 'freed and allocated while the collector runs'(o) {
    fill(o);
    for (let round = 0; round < 20; round++) {
      globalThis.gc({ execution: 'async' });
      for (const buffer of o.buffers.splice(0, 100)) o.heap.free(buffer);
      repeat((i) => o.buffers.push(o.heap.alloc(i * 1000 + 1)));
      o.buffers.splice(50, 100);
      await turn();
    }
    o.buffers.length = 0;
    await collect();
  },
};

const transferring = {
  async 'transfer, free'(o) {
    fill(o);
    for (const buffer of o.buffers) o.heap.free(buffer.buffer.transfer());
    await collect();
  },
  async 'transfer, drop, collect'(o) {
    fill(o);
    o.buffers = o.buffers.map((buffer) => buffer.buffer.transfer());
    await collect();
    o.buffers.length = 0;
    await collect();
  },
  async 'transfer to another length, drop, collect'(o) {
    fill(o);
    o.buffers = o.buffers.map((buffer) => buffer.buffer.transfer(10_000));
    await collect();
    o.heap.destroy();
  },
  async 'transfer, destroy, drop, collect'(o) {
    fill(o);
    o.buffers = o.buffers.map((buffer) => buffer.buffer.transfer().transferToFixedLength());
    o.heap.destroy();
    if (o.buffers.some((buffer) => !buffer.detached)) throw new Error('destroy missed a buffer');
    o.buffers.length = 0;
    await collect();
  },
  async 'transfer behind our back, destroy, use, drop, collect'(o) {
    fill(o);
    const { transfer } = ArrayBuffer.prototype;
    o.buffers = o.buffers.map(({ buffer }) => transfer.call(buffer));
    o.heap.destroy();
    for (const buffer of o.buffers) new Uint8Array(buffer).fill(3);
    await collect();
    o.buffers.length = 0;
    await collect();
  },
  async 'transfer, offer, adopt, transfer, free'(o) {
    fill(o);
    for (const { buffer } of o.buffers) {
      const adopted = o.heap.adopt(o.heap.transfer(buffer.transfer()));
      o.heap.free(adopted.buffer.transfer());
    }
  },
  async 'transfer of a shared buffer, drop, collect'(o) {
    fill(o);
    const shared = o.buffers.map((buffer) => o.heap.share(buffer));
    o.buffers = o.buffers.map(({ buffer }) => buffer.transfer());
    for (const token of shared) token.release();
    await collect();
    for (const buffer of o.buffers) new Uint8Array(buffer).fill(1);
    o.buffers.length = 0;
    await collect();
  },
  async 'transfer, realloc, free'(o) {
    fill(o);
    for (const { buffer } of o.buffers) o.heap.free(o.heap.realloc(buffer.transfer(), 5000));
    await collect();
  },
};

async function main() {
  const all = { ...orders, ...tokens, ...together, ...elsewhere };
  if (ArrayBuffer.prototype.transfer) Object.assign(all, transferring);
  const rows = {};
  for (const [name, order] of Object.entries(all)) {
    await order(make());
    await collect();
    const { heldBytes, heldBlocks } = processStats();
    rows[name] = [heldBytes, heldBlocks];
  }
  console.log(JSON.stringify(rows));
}

main();
