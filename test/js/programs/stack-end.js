// Calls near the end of the stack: one that throws has changed nothing. Prints for each call how often it threw and how
// often it did not, and what it had changed.
const { Heap, Pool, Region } = require('miheap');
const { native } = require('../../../dist/native');
const { codeOf } = require('./demand');

const heap = new Heap();

let made = 0;

/** A function whose frame takes `size` places more. A new one each time: V8 would optimise the places away. */
function frame(size) {
  const names = Array.from({ length: size }, (_, i) => `a${i}`);
  return new Function(
    'deeper',
    'then',
    `// ${made++}
     let ${['above', ...names].join(', ')};
     try { above = deeper(); } catch { return 1; }
     ${names.map((name) => `${name} = above;`).join(' ')}
     if (above === then.level) then.run();
     return ${['above', ...names].join(' + ')} - above * ${size} + 1;`,
  );
}

/** Runs `action` where the stack has room for `level` frames more; answers what it throws. */
function thrownNearEnd(level, size, action) {
  const one = frame(size);
  let thrown;
  const run = () => {
    try {
      action();
    } catch (error) {
      thrown = error;
    }
  };
  const deeper = () => one(deeper, { level, run });
  deeper();
  return thrown;
}

function pool(poison) {
  const pool = new Pool({ blockSize: 100, max: 1, poison });
  return { pool, block: pool.acquire().fill(1) };
}

function poolWithFree(poison) {
  const { pool: made, block } = pool(poison);
  made.release(block);
  return made;
}

function region() {
  const region = new Region({ chunkSize: 64 });
  return { region, buffers: [region.alloc(64), region.alloc(64), region.alloc(64)] };
}

function twins() {
  const handle = native.newHeap(Infinity);
  const id = `twins ${twins.count++}`;
  const block = native.allocate(handle, 10, 0, true);
  native.share(handle, block.buffer ?? block, id);
  return { handle, id, block: block.buffer ?? block };
}
twins.count = 0;

const releases = ({ pool, block }) => {
  pool.release(block);
  return pool.acquire() === block;
};
const isAlive = ({ buffers }) => buffers.every(({ length }) => length === 64);
const isGone = ({ region, buffers }) => {
  region.destroy();
  return buffers.every(({ length }) => length === 0);
};

/** For each call: what it needs, the call, and whether a call that threw has changed nothing. */
const cases = {
  realloc: [
    () => heap.allocFrom('precious'),
    (buffer) => heap.realloc(buffer, 200),
    (buffer) => buffer.toString() === 'precious',
  ],
  transfer: [
    () => heap.allocFrom('precious'),
    (buffer) => heap.transfer(buffer),
    (buffer) => buffer.toString() === 'precious',
  ],
  adopt: [
    () => heap.transfer(heap.allocFrom('precious')),
    (token) => heap.adopt(token),
    (token) => heap.adopt(token).toString() === 'precious',
  ],
  adoptNothing: [
    () => heap.transfer(heap.alloc(0)),
    (token) => heap.adopt(token),
    (token) => heap.adopt(token).length === 0,
  ],
  adoptTwin: [
    twins,
    ({ handle, id }) => {
      if (native.adopt(handle, id) < 0) throw new Error('refused');
    },
    ({ handle, id, block }) => {
      const twin = native.adopt(handle, id);
      native.releaseToken(id);
      const blocks = native.heapStats(handle)[2];
      return blocks === 2 && [block, twin.buffer ?? twin].every((one) => !native.free(handle, one));
    },
  ],
  free: [
    () => heap.allocFrom('precious'),
    (buffer) => heap.free(buffer),
    (buffer) => buffer.toString() === 'precious',
  ],
  release: [() => pool(false), ({ pool, block }) => pool.release(block), releases],
  releasePoisoned: [() => pool(true), ({ pool, block }) => pool.release(block), releases],
  acquire: [
    () => poolWithFree(false),
    (pool) => pool.acquire(),
    (pool) => pool.stats().free === 1 && codeOf(() => pool.acquire()) === undefined,
  ],
  acquirePoisoned: [
    () => poolWithFree(true),
    (pool) => pool.acquire(),
    (pool) => pool.stats().free === 1 && codeOf(() => pool.acquire()) === undefined,
  ],
  reset: [region, ({ region }) => region.reset(), (all) => isAlive(all) && isGone(all)],
  destroyRegion: [region, ({ region }) => region.destroy(), (all) => isAlive(all) && isGone(all)],
  destroyHeap: [
    () => {
      const heap = new Heap();
      return { heap, buffer: heap.alloc(10) };
    },
    ({ heap }) => heap.destroy(),
    ({ heap, buffer }) => !heap.destroyed && heap.owns(buffer),
  ],
  destroyPool: [
    () => pool(false),
    ({ pool }) => pool.destroy(),
    ({ pool, block }) => !pool.destroyed && block.length === 100,
  ],
};
if (ArrayBuffer.prototype.transfer !== undefined) {
  cases.transferArrayBuffer = [
    () => heap.allocArrayBuffer(10),
    (buffer) => buffer.transfer(),
    (buffer) => buffer.byteLength === 10,
  ];
}

function holds(check) {
  try {
    return check();
  } catch {
    return false;
  }
}

function find([make, call, isUnchanged]) {
  for (let i = 0; i < 30; i++) call(make()); // so that nothing is compiled near the end
  let [done, threw, changed] = [0, 0, 0];
  for (let size = 0; size < 12; size += 2) {
    for (let level = 1; level < 60; level++) {
      const made = make();
      if (thrownNearEnd(level, size, () => call(made)) === undefined) done++;
      else {
        threw++;
        if (!holds(() => isUnchanged(made))) changed++;
      }
    }
  }
  return { done, threw, changed };
}

const wanted = process.argv.slice(2);
const names = wanted.length > 0 ? wanted : Object.keys(cases);
console.log(JSON.stringify(Object.fromEntries(names.map((name) => [name, find(cases[name])]))));
