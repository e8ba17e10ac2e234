// Grows the heap of an asm.js module.
const { Heap } = require('miheap');
const useAsHeap = require('./asm');

const heap = new Heap();
const buffer = heap.alloc(4 << 20);
useAsHeap(buffer.buffer);
try {
  heap.realloc(buffer, 64 << 20);
} catch (error) {
  console.log(error.code, buffer.length);
}
