// A peak ends, and the program goes on with something else. Prints how much memory went back, and how often the program
// had its turn while it did. With `busy` it is never idle, but needs little memory.
const { Heap } = require('miheap');

const isBusy = process.argv[2] === 'busy';
const MIB = 1 << 20;
const PEAK = 256;
const rss = () => process.memoryUsage().rss / MIB;

const heap = new Heap();
const buffers = Array.from({ length: PEAK }, () => heap.alloc(MIB).fill(1));
const peak = rss();
const end = performance.now() + (isBusy ? 10_000 : 20_000);
for (const buffer of buffers) heap.free(buffer);

let turns = 0;
const timer = setInterval(
  () => {
    if (isBusy) heap.free(heap.alloc(2000));
    const returned = peak - rss();
    if (returned > PEAK / 16 && returned < PEAK - PEAK / 8) turns++;
    if (returned < PEAK - PEAK / 8 && performance.now() < end) return;
    clearInterval(timer);
    console.log(JSON.stringify({ returned, turns }));
  },
  isBusy ? 20 : 1,
);
