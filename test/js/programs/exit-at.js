// Ends the process, or a worker in it, at the step of a heap's life that is named on the command
// line. What counts is that it ends with exit code 7, not by a crash (1 if an error is thrown).
const { isMainThread, Worker } = require('node:worker_threads');
const { Heap } = require('miheap');

const [step, where] = process.argv.slice(2);
let registry;

function live() {
  const heap = new Heap();
  const at = (name) => {
    if (name === step) process.exit(7);
  };
  at('made');
  const buffers = Array.from({ length: 100 }, (_, i) => heap.alloc(i * 1000));
  at('allocated');
  for (const buffer of buffers.splice(0, 50)) heap.free(buffer);
  at('freed');
  buffers.push(heap.realloc(buffers.pop(), 1_000_000));
  at('reallocated');
  const tokens = [heap.transfer(buffers.pop()), heap.share(buffers[0])];
  at('offered');
  buffers.push(heap.adopt(tokens[0]), heap.adopt(tokens[1]));
  at('adopted');
  buffers.length = 30;
  registry = new FinalizationRegistry(() => at('finalised'));
  registry.register({});
  globalThis.gc();
  at('collected');
  if (step === 'finalised') return void setInterval(() => globalThis.gc(), 5);
  if (step === 'thrown') throw new Error('not caught');
  heap.destroy();
  at('destroyed');
  setTimeout(() => process.exit(7), 20);
}

if (where === 'worker' && isMainThread) {
  const worker = new Worker(__filename, { argv: process.argv.slice(2) });
  worker.on('error', () => {});
  worker.on('exit', (code) => {
    process.exitCode = code;
  });
} else {
  live();
}
