// Prints how many bytes of memory that was used before are not zero in buffers that need not be cleared.
const { Heap, Pool } = require('miheap');

const heap = new Heap();
const dirty = (buffer) => buffer.filter((byte) => byte !== 0).length;

for (let i = 0; i < 100; i++) heap.free(heap.allocUnsafe(10_000).fill(1));
const unsafe = heap.allocUnsafe(10_000);
const pools = Array.from({ length: 2 }, () => new Pool({ blockSize: 10_000 }));
pools[0].acquire().fill(1);
pools[0].destroy();
console.log(JSON.stringify({ heap: dirty(unsafe) > 0, pool: dirty(pools[1].acquire()) > 0 }));
