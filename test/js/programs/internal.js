const { Heap, processStats } = require('miheap');
const { codeOf } = require('./demand');

const heap = new Heap({ limit: 1_000_000 });
const first = heap.alloc(1000);
const zeroed = first.every((byte) => byte === 0);
first.write('kept');
const second = heap.realloc(first, 5000);
const contents = second.toString('latin1', 0, 4);
const freed = heap.alloc(100);
heap.free(freed);
const align = codeOf(() => heap.alloc(100, { align: 2 ** 20 }));
const limit = codeOf(() => heap.alloc(2_000_000));
const last = heap.alloc(100);
const doubleFree = codeOf(() => heap.free(freed));
heap.destroy();
const { heldBytes, heldBlocks } = processStats();
console.log(
  JSON.stringify({
    external: heap.external,
    zeroed,
    contents,
    oldLength: first.length,
    freedLength: freed.length,
    doubleFree,
    align,
    limit,
    destroyedLength: last.length,
    heldBytes,
    heldBlocks,
  }),
);
