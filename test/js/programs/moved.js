// Workers that have a byte stream, or the plain ArrayBuffer.prototype.transfer, move our buffers to where nobody told the
// heap of, send what comes out to the main thread, and end. The memory stays as it is. Prints how many buffers arrived,
// how many of them changed, the bytes that are held for them, and those that workers which only make garbage leave.
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');
const { Heap, processStats } = require('miheap');

const SIZE = 5000;
const transfer = ArrayBuffer.prototype.transfer;

const ways = {
  async stream(buffer) {
    const stream = new ReadableStream({ type: 'bytes', start: (to) => to.enqueue(buffer) });
    return (await stream.getReader().read()).value;
  },
  async reader(buffer) {
    const pull = (to) => to.byobRequest.respond(SIZE);
    const stream = new ReadableStream({ type: 'bytes', pull });
    const view = new Uint8Array(buffer.buffer);
    return (await stream.getReader({ mode: 'byob' }).read(view)).value;
  },
  async transfer(buffer) {
    return new Uint8Array(transfer.call(buffer.buffer));
  },
};

async function work({ way, end, count }) {
  const heap = new Heap();
  for (let i = 0; i < count; i++) {
    const moved = await ways[way](heap.alloc(SIZE).fill(7));
    parentPort.postMessage(moved, [moved.buffer]);
    if (end === 'collected') globalThis.gc();
  }
  if (end === 'thrown') throw new Error('as it should');
  if (end === 'collected') globalThis.kept = Array.from({ length: 100 }, () => heap.alloc(SIZE));
  if (end === 'exit' || end === 'collected') process.exit();
  if (end === 'terminated') setInterval(() => {}, 1000);
}

/** Buffers that are garbage as the worker ends: found, swept or not. Some are alive. */
function litter({ way }) {
  const heap = new Heap();
  for (let i = 0; i < 300; i++) heap.alloc(SIZE);
  globalThis.gc();
  for (let i = 0; i < 5000; i++) heap.alloc(SIZE);
  globalThis.kept = Array.from({ length: 50 }, () => heap.alloc(SIZE));
  if (way === 'exit') process.exit();
  if (way === 'terminated') setInterval(() => parentPort.postMessage(0), 1);
}

function run(data) {
  return new Promise((resolve) => {
    const arrived = [];
    const worker = new Worker(__filename, { workerData: data });
    worker.on('message', (buffer) => {
      arrived.push(buffer);
      if (data.way === 'terminated') worker.terminate();
      if (data.end === 'terminated' && arrived.length === data.count) worker.terminate();
    });
    worker.on('error', () => {});
    worker.on('exit', () => resolve(arrived));
  });
}

async function main() {
  const arrived = [];
  for (const way of transfer ? Object.keys(ways) : ['stream', 'reader']) {
    for (const end of ['end', 'exit', 'thrown', 'collected', 'terminated']) {
      const buffers = await run({ way, end, count: 40 });
      // Of a terminated worker the last ones are not safe.
      arrived.push(...(end === 'terminated' ? buffers.slice(0, 32) : buffers));
    }
  }
  const held = processStats().heldBytes;
  const heap = new Heap();
  const others = arrived.map(() => heap.alloc(SIZE).fill(88));
  const changed = arrived.filter((buffer) => !buffer.every((byte) => byte === 7)).length;
  for (const buffer of arrived) buffer.fill(9);
  const disturbed = others.filter((buffer) => !buffer.every((byte) => byte === 88)).length;
  heap.destroy();
  const before = processStats().heldBytes;
  for (let i = 0; i < 8; i++) {
    for (const way of ['end', 'exit', 'terminated']) await run({ end: 'litter', way });
  }
  const littered = processStats().heldBytes - before;
  console.log(JSON.stringify({ arrived: arrived.length, changed, disturbed, held, littered }));
}

if (isMainThread) main();
else if (workerData.end === 'litter') litter(workerData);
else work(workerData);
