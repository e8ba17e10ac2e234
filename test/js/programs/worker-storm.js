// Threads that send each other blocks, share them, free them, forget them, and end or are terminated at
// any moment. The seed and the milliseconds to go on are arguments.
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');
const { Heap, processStats } = require('miheap');

const random = require('./random')(isMainThread ? Number(process.argv[2]) : workerData);
const take = (list) => list.splice(random(list.length), 1)[0];
const turn = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const heap = new Heap();
let buffers = [];
/** Every token that this thread made: what nobody adopts is released in the end. */
let tokens = [];

function receive(token) {
  let buffer;
  try {
    buffer = heap.adopt(token);
  } catch (error) {
    // Its maker has ended, or somebody else has it.
    if (error.code === 'ERR_MIHEAP_TOKEN') return;
    throw error;
  }
  if (buffer.length !== token.byteLength || !buffer.every((byte) => byte === buffer[0])) {
    throw new Error('a block changed on its way');
  }
  buffers.push(buffer);
}

function step(send) {
  const kind = random(10);
  if (kind < 4 || buffers.length === 0) {
    const size = 1 + random([100, 3000, 100_000][random(3)]);
    buffers.push(heap.allocUnsafe(size).fill(1 + random(255)));
  } else if (kind < 6) {
    heap.free(take(buffers));
  } else if (kind < 8) {
    tokens.push(heap.transfer(take(buffers)));
    send(tokens.at(-1));
  } else if (kind < 9) {
    tokens.push(heap.share(buffers[random(buffers.length)]));
    send(tokens.at(-1));
  } else if (buffers.length > 100) {
    buffers.splice(0, 50);
  }
}

function work() {
  parentPort.on('message', receive);
  const mortal = random(2) === 0;
  const go = () => {
    for (let i = 0; i < 20; i++) step((token) => parentPort.postMessage(token));
    if (mortal && random(100) === 0) process.exit();
    setImmediate(go);
  };
  go();
}

async function conduct(milliseconds) {
  let workers = [];
  let started = 0;
  const send = (token) => workers[random(workers.length)]?.postMessage(token);
  const start = () => {
    const worker = new Worker(__filename, { workerData: random(1e9), argv: process.argv.slice(2) });
    workers.push(worker);
    started++;
    worker.on('message', (token) => (random(3) ? send(token) : receive(token)));
    worker.on('exit', () => {
      workers = workers.filter((other) => other !== worker);
    });
  };
  const end = Date.now() + milliseconds;
  while (Date.now() < end) {
    while (workers.length < 3) start();
    for (let i = 0; i < 20; i++) step(send);
    await turn(1);
    if (random(15) === 0) workers[random(workers.length)]?.terminate();
    if (random(30) === 0) globalThis.gc();
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  return started;
}

async function main() {
  const started = await conduct(Number(process.argv[3]));
  await turn(50); // the last messages
  buffers = [];
  for (const token of tokens) token.release();
  tokens = [];
  heap.destroy();
  for (let i = 0; i < 100 && (i < 3 || processStats().heldBlocks > 0); i++) {
    globalThis.gc();
    await turn(3);
  }
  const { heldBytes, heldBlocks } = processStats();
  console.log(JSON.stringify({ started, heldBytes, heldBlocks }));
}

if (isMainThread) main();
else work();
