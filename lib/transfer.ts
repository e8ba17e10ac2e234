import { emptyBuffer, ownerOf } from './empty';
import type { OffHeapBuffer } from './heap-types';
import { type HandedOut, native } from './native';

type Transfer = (this: ArrayBuffer, newLength?: number) => ArrayBuffer;
type Transferable = { [name in 'transfer' | 'transferToFixedLength']?: Transfer };

/**
 * `ArrayBuffer.prototype.transfer` (Node 22) moves memory into a new ArrayBuffer that nobody was told
 * of. Node would let that one go to another thread, where it may outlive this thread: its memory is
 * then not freed (sentinel.h). So our ArrayBuffers have their own, which tells the heap. Byte
 * streams, and `ArrayBuffer.prototype.transfer.call`, go around it.
 */
const prototype = Object.create(ArrayBuffer.prototype);

for (const name of ['transfer', 'transferToFixedLength'] as const) {
  const original = (ArrayBuffer.prototype as Transferable)[name];
  if (original === undefined) continue;
  const method = {
    [name](this: ArrayBuffer, newLength?: number): ArrayBuffer {
      const sameLength = newLength === undefined || newLength === this.byteLength;
      const moved = sameLength ? native.move(this) : undefined;
      if (typeof moved === 'object') return arrayBufferIn(moved);
      // Another length makes a copy, which V8 owns. What is not ours, or detached, is V8's to judge.
      const owner = ownerOf(this);
      const other = original.call(this, newLength);
      return owner !== undefined && sameLength ? transferableEmpty(owner) : other;
    },
  }[name];
  Object.defineProperty(prototype, name, { value: method, writable: true, configurable: true });
}

/** `buffer`, with our way to transfer it, where there is one at all. */
const transferable: (buffer: ArrayBuffer) => ArrayBuffer =
  'transfer' in prototype
    ? (buffer) => Object.setPrototypeOf(buffer, prototype)
    : (buffer) => buffer;

/** A buffer of no bytes. */
export function transferableEmpty(owner: object): ArrayBuffer {
  return transferable(emptyBuffer(owner));
}

/** The ArrayBuffer of a block that the addon has just handed out. */
export const arrayBufferIn: (block: HandedOut) => ArrayBuffer = native.external
  ? (block) => transferable((block as OffHeapBuffer).buffer as ArrayBuffer)
  : (block) => transferable(block as ArrayBuffer);

/** The same block as a Buffer. */
export const bufferIn: (block: HandedOut) => OffHeapBuffer = native.external
  ? (block) => {
      arrayBufferIn(block);
      return block as OffHeapBuffer;
    }
  : (block) => Buffer.from(arrayBufferIn(block));
