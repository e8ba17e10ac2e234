// Blocks that go from thread to thread, and threads that end meanwhile. Each row of the output is what
// is held after it: nothing.
const { once } = require('node:events');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { Heap, processStats, releaseToken } = require('miheap');
const { codeOf, demand } = require('./demand');

const COUNT = 100;
const heap = new Heap();

/** What a worker does, by name. */
const workers = {
  adoptAndFree() {
    parentPort.on('message', (tokens) => {
      for (const token of tokens) heap.free(heap.adopt(token).fill(1));
      parentPort.close();
    });
  },
  adoptAndKeep() {
    parentPort.on('message', (tokens) => {
      globalThis.kept = tokens.map((token) => heap.adopt(token).fill(5));
      parentPort.postMessage('adopted');
    });
  },
  offerAndStay() {
    const fill = (_, i) => heap.transfer(heap.alloc(i * 100 + 1).fill(6));
    parentPort.postMessage(Array.from({ length: COUNT }, fill));
    parentPort.on('message', () => parentPort.close());
  },
  offerAndEnd() {
    const fill = (_, i) => heap.transfer(heap.alloc(i * 100 + 1).fill(6));
    parentPort.postMessage(Array.from({ length: COUNT }, fill));
  },
  shareAndStay() {
    globalThis.kept = Array.from({ length: COUNT }, (_, i) => heap.alloc(i * 100 + 1).fill(6));
    parentPort.postMessage(kept.map((buffer) => heap.share(buffer)));
    parentPort.on('message', () => parentPort.close());
  },
};

const start = (name) => new Worker(__filename, { workerData: name, argv: process.argv.slice(2) });
const make = () => Array.from({ length: COUNT }, (_, i) => heap.alloc(i * 100 + 1).fill(7));
const all = (buffers, value) => buffers.every((buffer) => buffer.every((byte) => byte === value));

const rows = {
  async 'offered here, freed there'() {
    const worker = start('adoptAndFree');
    worker.postMessage(make().map((buffer) => heap.transfer(buffer)));
    await once(worker, 'exit');
  },
  async 'offered here, adopted there, terminated'() {
    const worker = start('adoptAndKeep');
    worker.postMessage(make().map((buffer) => heap.transfer(buffer)));
    await once(worker, 'message');
    await worker.terminate();
  },
  async 'offered here, never adopted, released'() {
    const worker = start('adoptAndKeep');
    await once(worker, 'online');
    const tokens = make().map((buffer) => heap.transfer(buffer));
    await worker.terminate();
    worker.postMessage(tokens);
    for (const token of tokens) demand(releaseToken(token), 'released before');
  },
  async 'offered there, adopted and freed here, after that thread ended'() {
    const worker = start('offerAndStay');
    const [tokens] = await once(worker, 'message');
    const buffers = tokens.map((token) => heap.adopt(token));
    worker.postMessage('end');
    await once(worker, 'exit');
    demand(all(buffers, 6), 'contents lost with their thread');
    for (const buffer of buffers) heap.free(heap.realloc(buffer, 5000));
  },
  async 'offered there, by a thread that has ended'() {
    const worker = start('offerAndEnd');
    const [[tokens]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    for (const token of tokens) {
      demand(codeOf(() => heap.adopt(token)) === 'ERR_MIHEAP_TOKEN', 'a stale token was adopted');
      demand(!releaseToken(token), 'a stale token was released');
    }
  },
  async 'offered there, terminated'() {
    const worker = start('offerAndStay');
    await once(worker, 'message');
    await worker.terminate();
  },
  async 'shared here, adopted in three threads that end, freed here'() {
    const buffers = make();
    const tokens = buffers.map((buffer) => heap.share(buffer));
    const workers = ['adoptAndKeep', 'adoptAndKeep', 'adoptAndKeep'].map(start);
    for (const worker of workers) worker.postMessage(tokens);
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    await workers[0].terminate();
    for (const buffer of buffers.splice(0, 50)) heap.free(buffer);
    await Promise.all(workers.map((worker) => worker.terminate()));
    if (heap.external) demand(all(buffers, 5), 'what the threads wrote is not here');
    for (const token of tokens) token.release();
    for (const buffer of buffers) heap.free(buffer);
  },
  async 'shared there, adopted here, freed after that thread ended'() {
    const worker = start('shareAndStay');
    const [tokens] = await once(worker, 'message');
    const buffers = tokens.map((token) => heap.adopt(token));
    worker.postMessage('end');
    await once(worker, 'exit');
    demand(codeOf(() => heap.adopt(tokens[0])) === 'ERR_MIHEAP_TOKEN', 'a stale token was adopted');
    demand(all(buffers, 6), 'contents lost with their thread');
    for (const buffer of buffers) heap.free(buffer);
  },
  async 'one token, adopted by two threads at once'() {
    const channel = new Int32Array(new SharedArrayBuffer(4));
    const racers = [0, 1].map(
      () => new Worker(__filename, { workerData: { race: channel }, argv: process.argv.slice(2) }),
    );
    const tokens = make().map((buffer) => heap.transfer(buffer));
    for (const racer of racers) racer.postMessage(tokens);
    const counts = await Promise.all(racers.map((racer) => once(racer, 'message')));
    demand(counts[0][0] + counts[1][0] === COUNT, `${counts} were adopted of ${COUNT}`);
    await Promise.all(racers.map((racer) => racer.terminate()));
  },
};

/** Adopts what it can, at the same time as another thread. */
function race(channel) {
  parentPort.once('message', (tokens) => {
    if (Atomics.add(channel, 0, 1) === 1) Atomics.notify(channel, 0);
    else Atomics.wait(channel, 0, 1);
    const adopted = tokens.filter((token) => codeOf(() => heap.adopt(token)) === undefined);
    parentPort.postMessage(adopted.length);
  });
}

async function main() {
  const held = {};
  for (const [name, row] of Object.entries(rows)) {
    await row();
    const { heldBytes, heldBlocks } = processStats();
    held[name] = [heldBytes, heldBlocks];
  }
  console.log(JSON.stringify(held));
}

if (isMainThread) main();
else if (workerData.race) race(workerData.race);
else workers[workerData]();
