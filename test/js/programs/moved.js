// Workers that have a byte stream, or the plain ArrayBuffer.prototype.transfer, move our buffers to where nobody told the
// heap of, send what comes out to the main thread, and end. The memory stays as it is. Prints how many buffers arrived,
// how many of them changed, the bytes that are held for them, and those that workers which only make garbage leave.
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');
// Before miheap has a listener of its own.
if (workerData?.end === 'cut') process.on('exit', () => process.exit());
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

function send(moved) {
  parentPort.postMessage(moved, [moved.buffer]);
}

/** Waits to be terminated, once `isReady`. */
function ask(isReady = () => true) {
  setInterval(() => isReady() && parentPort.postMessage(null), 1);
}

async function work({ way, end, count }) {
  const heap = new Heap();
  const other = new Heap();
  for (let i = 0; i < count; i++) {
    send(await ways[way](heap.alloc(SIZE).fill(7)));
    if (end === 'turns') other.alloc(SIZE);
    if (end === 'collected') globalThis.gc();
  }
  if (end === 'thrown') throw new Error('as it should');
  if (end === 'collected' || end === 'turns') {
    globalThis.gc();
    const last = end === 'turns' ? other : heap;
    globalThis.kept = Array.from({ length: 100 }, () => last.alloc(SIZE));
  }
  if (end === 'listener') {
    process.on('exit', () => {
      for (let i = 0; i < count; i++) {
        send(new Uint8Array(transfer.call(heap.alloc(SIZE).fill(7).buffer)));
      }
    });
  }
  if (end === 'exit' || end === 'collected') process.exit();
  if (end === 'terminated') ask();
  if (end === 'turns') ask(() => other.stats().blocks === globalThis.kept.length);
}

/** Buffers that are garbage as the worker ends, found, swept or not, and some that are alive. */
function litter({ way, found }) {
  const heap = new Heap();
  for (let i = 0; i < 300; i++) heap.alloc(SIZE);
  if (found) globalThis.gc();
  for (let i = 0; i < 5000; i++) heap.alloc(SIZE);
  globalThis.kept = Array.from({ length: 50 }, () => heap.alloc(SIZE));
  if (way === 'terminated') ask();
  else setTimeout(() => leave(heap, way), 1);
}

/** What the stack holds is found as the worker stops. */
function leave(heap, way) {
  const kept = Array.from({ length: 1000 }, () => heap.alloc(SIZE));
  if (way === 'exit') process.exit();
  if (way === 'thrown') throw new Error('as it should');
  return kept;
}

function run(data) {
  return new Promise((resolve) => {
    const arrived = [];
    const worker = new Worker(__filename, { workerData: data });
    worker.on('message', (buffer) => {
      if (buffer === null) worker.terminate();
      else arrived.push(buffer);
    });
    worker.on('error', () => {});
    worker.on('exit', () => resolve(arrived));
  });
}

async function main() {
  const arrived = [];
  for (const way of transfer ? Object.keys(ways) : ['stream', 'reader']) {
    const ends = ['end', 'exit', 'thrown', 'collected', 'cut', 'turns', 'terminated'];
    for (const end of transfer ? [...ends, 'listener'] : ends) {
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
    for (const way of ['end', 'exit', 'thrown', 'terminated']) {
      await run({ end: 'litter', way, found: i % 2 === 0 });
    }
  }
  const littered = processStats().heldBytes - before;
  console.log(JSON.stringify({ arrived: arrived.length, changed, disturbed, held, littered }));
}

if (isMainThread) main();
else if (workerData.end === 'litter') litter(workerData);
else work(workerData);
