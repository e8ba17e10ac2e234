// What happens to a buffer that was made immutable: V8 ends the process if one is to be detached. Prints the codes.
const { Heap } = require('miheap');

const heap = new Heap();
const immutable = heap.alloc(100).buffer.transferToImmutable();
const large = heap.alloc(2 ** 21).buffer.transferToImmutable(); // the core would move it first
const attempts = [
  () => heap.free(immutable),
  () => heap.realloc(new Uint8Array(immutable), 200),
  () => heap.realloc(large, 2 ** 23),
  () => heap.transfer(immutable),
];
const codes = attempts.map((attempt) => {
  try {
    attempt();
    return 'done';
  } catch ({ code }) {
    return code;
  }
});
heap.destroy();
console.log(JSON.stringify({ codes, sizes: [immutable.byteLength, large.byteLength] }));
