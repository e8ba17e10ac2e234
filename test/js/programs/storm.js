// Random operations on a few heaps, with a model of what each buffer holds. The seed is an argument.
const { Heap, processStats, releaseToken } = require('miheap');
const { codeOf, demand } = require('./demand');

const [seed, steps] = process.argv.slice(2).map(Number);
const random = require('./random')(seed);
const turn = () => new Promise((resolve) => setTimeout(resolve, 2));
const original = ArrayBuffer.prototype.transfer;

let heaps = [];
/** Live buffers: { heap, buffer, size, tag }. The tag is what is written in it; 0 if it is shared. */
let blocks = [];
/** Waiting tokens: { token, once, size, tag }. */
let tokens = [];

const pick = (list) => list[random(list.length)];
const take = (list) => list.splice(random(list.length), 1)[0];
const sizeAtRandom = () => random([64, 2000, 2000, 70_000, 600_000][random(5)]);

function add(heap, buffer, tag = 1 + random(255)) {
  if (tag !== 0) buffer.fill(tag);
  blocks.push({ heap, buffer, size: buffer.length, tag });
}

function check({ heap, buffer, size, tag }) {
  demand(buffer.length === size && heap.owns(buffer), 'a buffer ended by itself');
  if (tag === 0 || size === 0) return;
  for (const at of [0, size >> 1, size - 1]) demand(buffer[at] === tag, 'contents changed');
}

/** Takes a block out of the model, having looked at it. */
function takeBlock() {
  const block = take(blocks);
  check(block);
  return block;
}

const operations = {};

operations.allocate = () => {
  const heap = pick(heaps);
  const size = sizeAtRandom();
  const align = heap.external ? 1 << random(14) : 8;
  const ways = [
    () => heap.alloc(size),
    () => heap.allocUnsafe(size, { align }),
    () => Buffer.from(heap.allocArrayBuffer(size)),
    () => heap.allocFrom(Buffer.alloc(size)),
  ];
  add(heap, pick(ways)());
};

operations.free = () => {
  const { heap, buffer } = takeBlock();
  heap.free(pick([buffer, buffer.buffer, buffer.subarray(buffer.length >> 1)]));
  demand(buffer.length === 0, 'free did not detach');
  demand(codeOf(() => heap.free(buffer)) === 'ERR_MIHEAP_ALREADY_FREED', 'freed twice');
};

operations.drop = () => {
  for (let left = random(20); left > 0 && blocks.length > 0; left--) take(blocks);
};

operations.reallocate = () => {
  const block = pick(blocks);
  check(block);
  const { heap, buffer, size, tag } = block;
  const resized = heap.realloc(buffer, sizeAtRandom());
  blocks.splice(blocks.indexOf(block), 1);
  const common = Math.min(size, resized.length);
  if (common > 0 && tag !== 0) demand(resized[common - 1] === tag, 'realloc lost the contents');
  if (resized.length > size) demand(resized[resized.length - 1] === 0, 'realloc did not clear');
  add(heap, resized);
};

operations.transfer = () => {
  const { heap, buffer, size, tag } = takeBlock();
  tokens.push({ token: structuredClone(heap.transfer(buffer)), once: true, size, tag });
};

operations.share = () => {
  const block = pick(blocks);
  check(block);
  block.tag = 0;
  tokens.push({ token: block.heap.share(block.buffer), once: false, size: block.size, tag: 0 });
};

operations.adopt = () => {
  const offer = pick(tokens);
  const heap = pick(heaps);
  const buffer = heap.adopt(offer.token);
  blocks.push({ heap, buffer, size: offer.size, tag: offer.tag });
  check(blocks.at(-1));
  if (!offer.once) return;
  tokens.splice(tokens.indexOf(offer), 1);
  demand(codeOf(() => heap.adopt(offer.token)) === 'ERR_MIHEAP_TOKEN', 'adopted twice');
};

operations.release = () => {
  const { token } = take(tokens);
  demand(releaseToken(token) && !releaseToken(token), 'a token is released once');
};

operations.move = () => {
  const block = takeBlock();
  const moved = Buffer.from(block.buffer.buffer.transfer());
  demand(block.buffer.length === 0, 'transfer did not detach');
  blocks.push({ ...block, buffer: moved });
  check(blocks.at(-1));
};

operations.moveOutOfSight = () => {
  original.call(takeBlock().buffer.buffer);
};

operations.destroy = () => {
  const heap = take(heaps);
  const mine = blocks.filter((block) => block.heap === heap);
  blocks = blocks.filter((block) => block.heap !== heap);
  heap.destroy();
  demand(
    mine.every(({ buffer }) => buffer.length === 0),
    'destroy missed a buffer',
  );
};

operations.collect = () => (random(2) ? globalThis.gc({ type: 'minor' }) : globalThis.gc());
operations.turn = turn;

/** How often each comes. */
const weights = {
  allocate: 40,
  free: 25,
  reallocate: 10,
  transfer: 6,
  share: 4,
  adopt: 8,
  release: 2,
  move: original ? 2 : 0,
  moveOutOfSight: original ? 1 : 0,
  drop: 3,
  destroy: 0.3,
  collect: 0.2,
  turn: 0.5,
};
const wheel = Object.entries(weights).flatMap(([name, weight]) => Array(weight * 10).fill(name));

async function run() {
  for (let step = 0; step < steps; step++) {
    while (heaps.length < 3) heaps.push(new Heap(random(2) ? { limit: 5_000_000 } : {}));
    const name = pick(wheel);
    try {
      if (blocks.length === 0 || tokens.length === 0) operations.allocate();
      if (tokens.length === 0) operations.share();
      await operations[name]();
    } catch (error) {
      if (error.code !== 'ERR_MIHEAP_LIMIT') throw error;
    }
  }
  for (const block of blocks) check(block);
}

/** Apart from run, so that none of its variables keeps a buffer alive. */
function forget() {
  for (const { token } of tokens) releaseToken(token);
  tokens = [];
  blocks = [];
  heaps = [];
}

async function main() {
  await run();
  forget();
  for (let i = 0; i < 100 && (i < 3 || processStats().heldBlocks > 0); i++) {
    await turn();
    globalThis.gc();
  }
  const { heldBytes, heldBlocks } = processStats();
  console.log(JSON.stringify({ heldBytes, heldBlocks }));
}

main();
