// One large buffer, many workers, no copies: each worker gets a token, adopts the same memory and works on
// its part of it. The memory comes back when the last of them has freed its view.
//
//   node examples/fan-out.mjs [--megabytes 256] [--workers 4]
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Heap, processStats } from 'miheap';

function sum(numbers) {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

async function main() {
  const { values } = parseArgs({
    options: {
      megabytes: { type: 'string', default: '256' },
      workers: { type: 'string', default: '4' },
    },
  });
  const count = Number(values.workers);
  const heap = new Heap({ name: 'fan-out' });
  const numbers = heap.allocTyped(Uint32Array, Number(values.megabytes) * 2 ** 18);
  for (let i = 0; i < numbers.length; i++) numbers[i] = i % 1000;

  const token = heap.share(numbers);
  const held = processStats().heldBytes;
  const parts = Array.from({ length: count }, async (_, part) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { token, part, count } });
    const [[result]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    return result;
  });
  const results = await Promise.all(parts);
  const right = results.reduce((total, result) => total + result.total, 0) === sum(numbers);
  const bytes = numbers.byteLength;
  token.release();
  heap.free(numbers);
  console.log(
    JSON.stringify({
      workers: count,
      right,
      copies: Math.max(...results.map((result) => result.held)) / held,
      bytes,
      heldBytes: processStats().heldBytes,
    }),
  );
}

function work({ token, part, count }) {
  const heap = new Heap();
  const { buffer } = heap.adopt(token);
  const share = Math.ceil(buffer.byteLength / 4 / count);
  const own = new Uint32Array(buffer).subarray(part * share, (part + 1) * share);
  const total = sum(own);
  parentPort.postMessage({ total, held: processStats().heldBytes });
  heap.free(buffer);
}

if (isMainThread) await main();
else work(workerData);
