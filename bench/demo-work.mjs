// One variant of the demo: node --expose-gc demo-work.mjs heap|node. Prints what it measured.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Heap, processStats } from 'miheap';

const THREADS = 2;
const ROUNDS = 5;

/** Where buffers come from and go to: a heap, or Node and its garbage collector. */
const sources = {
  heap() {
    const heap = new Heap();
    return {
      alloc: (size) => heap.allocUnsafe(size),
      free: (buffer) => heap.free(buffer),
      held: () => processStats().heldBytes,
    };
  },
  node() {
    const before = process.memoryUsage().arrayBuffers;
    return {
      alloc: (size) => Buffer.allocUnsafeSlow(size),
      free: () => {},
      held: () => Math.max(0, process.memoryUsage().arrayBuffers - before),
    };
  },
};

function list(folder, files = []) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) list(path, files);
    else if (entry.isFile()) files.push(path);
  }
  return files;
}

function read(path, source) {
  const file = openSync(path, 'r');
  const buffer = source.alloc(fstatSync(file).size);
  for (let at = 0; at < buffer.length; ) {
    const count = readSync(file, buffer, at, buffer.length - at, at);
    if (count === 0) throw new Error(`${path} became shorter`);
    at += count;
  }
  closeSync(file);
  return buffer;
}

/** In a worker: reads and hashes `files`, round by round; a round frees what the last one kept. */
function readAll(files, source) {
  const hash = createHash('sha256');
  let bytes = 0;
  let kept = [];
  for (let round = 0; round < ROUNDS; round++) {
    const previous = kept;
    kept = [];
    for (const [i, path] of files.entries()) {
      const buffer = read(path, source);
      bytes += buffer.length;
      hash.update(buffer);
      if (i % 2 === 0) kept.push(buffer);
      else source.free(buffer);
      if (i < previous.length) source.free(previous[i]);
      previous[i] = undefined;
    }
  }
  for (const buffer of kept) source.free(buffer);
  return { digest: hash.digest('hex'), bytes: bytes / ROUNDS };
}

async function settle() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await wait(150);
  }
}

async function main(kind) {
  const files = list(fileURLToPath(new URL('../node_modules', import.meta.url))).sort();
  const started = performance.now();
  const workers = Array.from({ length: THREADS }, (_, thread) => {
    const share = files.filter((_, i) => i % THREADS === thread);
    return new Worker(new URL(import.meta.url), { workerData: { kind, share } });
  });
  const parts = await Promise.all(
    workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
  const milliseconds = performance.now() - started;
  for (const worker of workers) worker.postMessage('drop');
  const held = await Promise.all(
    workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))),
  );
  await settle();
  console.log(
    JSON.stringify({
      milliseconds,
      peakRss: process.resourceUsage().maxRSS * 1024,
      rss: process.memoryUsage().rss,
      heldBytes: kind === 'heap' ? held.at(-1) : held.reduce((sum, bytes) => sum + bytes, 0),
      files: files.length,
      bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
      rounds: ROUNDS,
      threads: THREADS,
      digest: createHash('sha256')
        .update(parts.map((part) => part.digest).join())
        .digest('hex'),
    }),
  );
  for (const worker of workers) worker.postMessage('end');
}

function work({ kind, share }) {
  const source = sources[kind]();
  parentPort.postMessage(readAll(share, source));
  parentPort.once('message', async () => {
    await settle();
    parentPort.postMessage(source.held());
    parentPort.once('message', () => parentPort.close());
  });
}

if (isMainThread) await main(process.argv[2]);
else work(workerData);
