/** Makes `heap`, an ArrayBuffer, the heap of an asm.js module, which cannot be detached from then on. */
module.exports = function useAsHeap(heap) {
  function Module(stdlib, _foreign, heap) {
    'use asm';
    var bytes = new stdlib.Uint8Array(heap);
    function get(i) {
      i = i | 0;
      return bytes[i >> 0] | 0;
    }
    return { get: get };
  }
  return Module(globalThis, {}, heap);
};
