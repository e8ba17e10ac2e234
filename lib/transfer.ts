import { types } from 'node:util';
import { emptyBuffer, ownerOf } from './empty';
import type { OffHeapBuffer } from './heap-types';
import { type HandedOut, native } from './native';
import { checkStack } from './stack';
import { lengthOf } from './views';

/** What V8 makes of a length, which may be anything. Whole, so that V8 makes the same of the result. */
function toIndex(value: unknown): number {
  return Math.trunc(+(value as number)) || 0;
}

type Transfer = (this: ArrayBuffer, newLength?: number) => ArrayBuffer;
type Transferable = { [name in 'transfer' | 'transferToFixedLength']?: Transfer };

/**
 * The prototype of our ArrayBuffers, with a `transfer` that tells the heap. `ArrayBuffer.prototype.transfer`
 * (Node 22) would move the memory into a new ArrayBuffer without telling it. That one could go to another
 * thread and outlive this one; its memory is then not freed (sentinel.h). Byte streams, and
 * `ArrayBuffer.prototype.transfer.call`, still do that.
 */
const prototype = Object.create(ArrayBuffer.prototype);

for (const name of ['transfer', 'transferToFixedLength'] as const) {
  const original = (ArrayBuffer.prototype as Transferable)[name];
  if (original === undefined) continue;
  const method = {
    [name](this: ArrayBuffer, given?: unknown): ArrayBuffer {
      const newLength = given === undefined ? undefined : toIndex(given);
      const sameLength =
        newLength === undefined || (types.isArrayBuffer(this) && newLength === lengthOf(this));
      checkStack();
      const moved = sameLength ? native.move(this) : undefined;
      if (typeof moved === 'object') return arrayBufferIn(moved);
      // V8 copies to another length, and owns the copy. V8 also judges a buffer that is detached or not ours.
      const owner = ownerOf(this);
      const other = original.call(this, newLength);
      return owner !== undefined && sameLength ? transferableEmpty(owner) : other;
    },
  }[name];
  Object.defineProperty(prototype, name, { value: method, writable: true, configurable: true });
}

/** Gives `buffer` our prototype, if this Node has `transfer` at all. */
const transferable: (buffer: ArrayBuffer) => ArrayBuffer =
  'transfer' in prototype
    ? (buffer) => Object.setPrototypeOf(buffer, prototype)
    : (buffer) => buffer;

/** Makes an empty buffer of `owner`. */
export function transferableEmpty(owner: object): ArrayBuffer {
  return transferable(emptyBuffer(owner));
}

/** The ArrayBuffer of a block that the addon has just handed out. */
export const arrayBufferIn: (block: HandedOut) => ArrayBuffer = native.external
  ? (block) => transferable((block as OffHeapBuffer).buffer as ArrayBuffer)
  : (block) => transferable(block as ArrayBuffer);

/** The Buffer of a block that the addon has just handed out. */
export const bufferIn: (block: HandedOut) => OffHeapBuffer = native.external
  ? (block) => {
      arrayBufferIn(block);
      return block as OffHeapBuffer;
    }
  : (block) => Buffer.from(arrayBufferIn(block));
