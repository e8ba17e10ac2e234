// Prints, for each alignment, whether the block was found at a multiple of it. JavaScript cannot see
// an address, so the blocks get random contents and are searched for in this process's memory.
const { closeSync, openSync, readFileSync, readSync } = require('node:fs');
const { randomFillSync } = require('node:crypto');
const { Heap } = require('miheap');

const heap = new Heap();
const blocks = [4096, 2 ** 14, 2 ** 16, 2 ** 20, 2 ** 23].map((align) => ({
  align,
  buffer: randomFillSync(heap.alloc(48, { align })),
  found: false,
}));

const memory = openSync('/proc/self/mem', 'r');
const chunk = Buffer.alloc(2 ** 20);
for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
  const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
  if (from === undefined) continue;
  const end = Number.parseInt(to, 16);
  for (let address = Number.parseInt(from, 16); address < end; address += chunk.length) {
    const length = readSync(memory, chunk, 0, Math.min(chunk.length, end - address), address);
    for (const block of blocks) {
      const at = address + chunk.subarray(0, length).indexOf(block.buffer);
      if (at >= address && at % block.align === 0) block.found = true;
    }
  }
}
closeSync(memory);
console.log(JSON.stringify(blocks.map(({ align, found }) => [align, found])));
