import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInThisContext } from 'node:vm';

/** As programs/asm.js exports it. V8 asks for globals of its own realm, which a test has not. */
const useAsHeap: (heap: ArrayBuffer) => unknown = runInThisContext(`(function (module) {
  ${readFileSync(join(__dirname, 'programs', 'asm.js'), 'utf8')}
  return module.exports;
})`)({});

/** The least that the heap of an asm.js module has. */
export const HEAP_SIZE = 65536;

/** Makes the memory of `buffer` the heap of an asm.js module, which cannot be detached from then on. */
export function pin<T extends Buffer | ArrayBuffer>(buffer: T): T {
  useAsHeap(ArrayBuffer.isView(buffer) ? (buffer.buffer as ArrayBuffer) : (buffer as ArrayBuffer));
  return buffer;
}
