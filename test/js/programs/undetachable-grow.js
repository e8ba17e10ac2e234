// Grows the heap of an asm.js module.
const { Heap } = require('miheap');

function Module(stdlib, _foreign, heap) {
  'use asm';
  var bytes = new stdlib.Uint8Array(heap);
  function get(i) {
    i = i | 0;
    return bytes[i >> 0] | 0;
  }
  return { get: get };
}

const heap = new Heap();
const buffer = heap.alloc(4 << 20);
Module(globalThis, {}, buffer.buffer);
try {
  heap.realloc(buffer, 64 << 20);
} catch (error) {
  console.log(error.code, buffer.length);
}
