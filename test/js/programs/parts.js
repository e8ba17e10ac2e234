// A peak ends, and the program goes on with something else. Prints how much memory went back, and how often the program
// had its turn while it did. With `busy` it is never idle, but needs little memory; with `scattered`, too, and every
// other block lives on.
const { Heap } = require('miheap');

const isScattered = process.argv[2] === 'scattered';
const isBusy = isScattered || process.argv[2] === 'busy';
const MIB = 1 << 20;
const SIZE = isScattered ? 30_000 : MIB;
const PEAK = 256;
const most = isScattered ? PEAK / 3 : PEAK - PEAK / 8; // 10 % of each other block is in system pages with a neighbour
const rss = () => process.memoryUsage().rss / MIB;

const heap = new Heap();
const buffers = Array.from({ length: (PEAK * MIB) / SIZE }, () => heap.alloc(SIZE).fill(1));
const peak = rss();
const end = performance.now() + (isBusy ? 10_000 : 20_000);
for (const [i, buffer] of buffers.entries()) if (!isScattered || i % 2 === 0) heap.free(buffer);

let turns = 0;
const timer = setInterval(
  () => {
    if (isBusy) heap.free(heap.alloc(2000));
    const returned = peak - rss();
    if (returned > PEAK / 16 && returned < most) turns++;
    if (returned < most && performance.now() < end) return;
    clearInterval(timer);
    console.log(JSON.stringify({ returned, turns }));
  },
  isBusy ? 20 : 1,
);
