// A worker tries to adopt each token again and again, in a heap that has no room for it. Meanwhile this thread releases
// the token, or adopts it. Prints how often that worked, and what the addon answered the worker.
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { Heap, processStats } = require('miheap');
const { native, Status } = require('../../../dist/native');
const { codeOf } = require('./demand');

const ROUNDS = 1000;
const LAST = -1;
const [ROUND, TRIED] = [0, 1]; // the round that is on, and that in which the worker has tried

if (isMainThread) main();
else work(workerData);

function main() {
  const shared = {
    places: new Int32Array(new SharedArrayBuffer(8)),
    id: new Uint8Array(new SharedArrayBuffer(32)),
  };
  const heap = new Heap();
  const worker = new Worker(__filename, { workerData: shared });
  const worked = { released: 0, adopted: 0 };
  for (let round = 1; round <= ROUNDS; round++) {
    const token = heap.transfer(heap.alloc(1000));
    shared.id.set(Buffer.from(token.id));
    Atomics.store(shared.places, ROUND, round);
    while (Atomics.load(shared.places, TRIED) !== round);
    for (let delay = (round * 37) % 1000; delay > 0; delay--);
    if (round % 2 === 0) worked.released += token.release();
    else worked.adopted += codeOf(() => heap.free(heap.adopt(token))) === undefined;
  }
  Atomics.store(shared.places, ROUND, LAST);
  worker.once('message', (answers) => {
    const { heldBytes } = processStats();
    console.log(JSON.stringify({ ...worked, answers, heldBytes }));
  });
}

/** Calls the addon itself: with the errors of Heap, hardly any time would be spent inside of `adopt`. */
function work({ places, id }) {
  const handle = native.newHeap(10);
  const answers = new Set();
  for (let round = 0; round !== LAST; ) {
    round = Atomics.load(places, ROUND);
    const token = Buffer.from(id).toString();
    for (let tries = 0; tries < 20; tries++) answers.add(native.adopt(handle, token));
    Atomics.store(places, TRIED, round);
  }
  parentPort.postMessage([...answers].map((answer) => Status[answer]).sort());
}
