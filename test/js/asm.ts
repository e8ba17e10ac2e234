import { runInThisContext } from 'node:vm';

/** An asm.js module. V8 asks for globals of its own realm, which a test has not. */
const useAsHeap: (heap: ArrayBuffer) => unknown = runInThisContext(`
  (function (heap) {
    function Module(stdlib, foreign, heap) {
      'use asm';
      var bytes = new stdlib.Uint8Array(heap);
      function get(i) {
        i = i | 0;
        return bytes[i >> 0] | 0;
      }
      return { get: get };
    }
    return Module(globalThis, {}, heap);
  })
`);

/** The least that the heap of an asm.js module has. */
export const HEAP_SIZE = 65536;

/** Makes the memory of `buffer` the heap of an asm.js module, which cannot be detached from then on. */
export function pin<T extends Buffer | ArrayBuffer>(buffer: T): T {
  useAsHeap(ArrayBuffer.isView(buffer) ? (buffer.buffer as ArrayBuffer) : (buffer as ArrayBuffer));
  return buffer;
}
