// Every order in which a block can end. Each row of the output is what is held after it: nothing.
const { Heap, processStats } = require('miheap');

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
  async 'transfer, realloc, free'(o) {
    fill(o);
    for (const { buffer } of o.buffers) o.heap.free(o.heap.realloc(buffer.transfer(), 5000));
    await collect();
  },
};

async function main() {
  const all = ArrayBuffer.prototype.transfer ? { ...orders, ...transferring } : orders;
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
