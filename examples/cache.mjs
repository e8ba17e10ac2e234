// A cache with a limit in bytes, outside of V8's heap: what was not used for the longest time goes first.
//
//   node examples/cache.mjs [--megabytes 256] [--operations 300000]
//
// Runs the same work on this cache and on one in plain Buffers, each in a process of its own, and compares
// how long the garbage collector stopped them and what memory they took.
import { spawnSync } from 'node:child_process';
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Heap } from 'miheap';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '256' },
    operations: { type: 'string', default: '300000' },
    memory: { type: 'string' },
  },
});

/** Least recently used goes first: a Map remembers the order in which its keys were set. */
class Cache {
  #entries = new Map();
  #oldestFirst = this.#entries.keys();
  #bytes = 0;
  #limit;
  #memory;

  constructor(limit, memory) {
    this.#limit = limit;
    this.#memory = memory;
  }

  get bytes() {
    return this.#bytes;
  }

  /** The cached Buffer: valid until the next `set`, which may free it. Then its length is 0. */
  get(key) {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  set(key, data) {
    if (data.length > this.#limit) throw new RangeError('larger than the cache');
    this.delete(key);
    while (this.#bytes + data.length > this.#limit) this.delete(this.#oldest());
    this.#entries.set(key, this.#memory.copy(data));
    this.#bytes += data.length;
  }

  /** Goes on where it was: a new iterator would have to pass all keys that were deleted since. */
  #oldest() {
    const { value, done } = this.#oldestFirst.next();
    if (!done) return value;
    this.#oldestFirst = this.#entries.keys();
    return this.#oldestFirst.next().value;
  }

  delete(key) {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.length;
    this.#memory.free(entry);
  }
}

const limit = Number(values.megabytes) * 1024 * 1024;

/** Where the cache puts its copies. */
const memories = {
  heap() {
    const heap = new Heap({ name: 'cache', limit });
    return { copy: (data) => heap.allocFrom(data), free: (entry) => heap.free(entry) };
  },
  buffer: () => ({ copy: (data) => Buffer.from(data), free() {} }),
};

async function work(memory) {
  let longestPause = 0;
  let pauses = 0;
  const note = (entries) => {
    for (const { duration } of entries) {
      longestPause = Math.max(longestPause, duration);
      pauses += duration;
    }
  };
  const observer = new PerformanceObserver((list) => note(list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });

  const cache = new Cache(limit, memories[memory]());
  const source = Buffer.alloc(64 * 1024, 'miheap ');
  const keys = Math.ceil(limit / (2 * 1024));
  let seed = 1;
  const random = (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  let hits = 0;
  const start = performance.now();
  for (let i = 0; i < Number(values.operations); i++) {
    // Some keys are asked for more often than others, as in life.
    const key = Math.min(random(keys), random(keys));
    const found = cache.get(key);
    if (found !== undefined) hits++;
    else cache.set(key, source.subarray(0, 512 + random(16 * 1024)));
    if (i % 1000 === 0) await turn();
  }
  const milliseconds = performance.now() - start;
  note(observer.takeRecords());
  observer.disconnect();
  return {
    memory,
    hits,
    bytes: cache.bytes,
    milliseconds: Math.round(milliseconds),
    longestPause: Number(longestPause.toFixed(2)),
    pauses: Number(pauses.toFixed(2)),
    peakRss: process.resourceUsage().maxRSS * 1024,
  };
}

if (values.memory !== undefined) {
  console.log(JSON.stringify(await work(values.memory)));
} else {
  const [heap, buffer] = ['heap', 'buffer'].map((memory) => {
    const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--memory', memory];
    return JSON.parse(spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout);
  });
  console.log(JSON.stringify({ heap, buffer }, null, 2));
}
