// Worker threads that allocate inside and outside V8's heap, pass buffers around, and end while
// others still hold memory that they allocated.
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { createHash, pbkdf2Sync } = require('node:crypto');
const { deflateSync, inflateSync, brotliCompressSync } = require('node:zlib');

function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}

function work(seed) {
  const next = random(seed);
  const hash = createHash('sha256');
  const kept = [];
  for (let i = 0; i < 300; i++) {
    const bytes = Buffer.alloc(1 + (next() % 60000));
    for (let j = 0; j < bytes.length; j += 7) bytes[j] = next() & 15;
    const packed = deflateSync(bytes, { level: 1 + (i % 9) });
    if (!inflateSync(packed).equals(bytes)) throw new Error('inflate lost bytes');
    hash.update(packed);
    if (i % 30 === 0) hash.update(brotliCompressSync(bytes, { params: { 1: 4 } }));
    kept[next() % 50] = bytes;
  }
  const records = Array.from({ length: 5000 }, (_, i) => ({ i, text: `${next()}`.repeat(i % 9) }));
  hash.update(JSON.stringify(JSON.parse(JSON.stringify(records))));
  hash.update(pbkdf2Sync('password', `salt${seed}`, 2000, 64, 'sha512'));
  return { digest: hash.digest('hex'), gift: new Uint8Array(100000).fill(seed & 255) };
}

if (!isMainThread) {
  const { digest, gift } = work(workerData);
  parentPort.postMessage({ seed: workerData, digest, gift }, [gift.buffer]);
} else {
  const results = new Map();
  const seeds = Array.from({ length: 12 }, (_, i) => i + 1);
  const startNext = () => {
    const seed = seeds.shift();
    if (seed === undefined) return;
    const worker = new Worker(__filename, { workerData: seed });
    worker.on('message', (message) => results.set(message.seed, message));
    worker.on('error', (error) => {
      throw error;
    });
    worker.on('exit', startNext);
  };
  for (let i = 0; i < 3; i++) startNext();
  process.on('exit', () => {
    for (const [seed, { digest, gift }] of [...results].sort(([a], [b]) => a - b)) {
      console.log(seed, digest, gift.reduce((sum, byte) => sum + byte, 0));
    }
    console.log(results.size === 12 ? 'all workers answered' : 'workers are missing');
  });
}
