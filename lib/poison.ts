import { BufferView, memoryOf, setBytes } from './views';

const BYTE = 0xd6;

const { compare } = Buffer;

/** Fills memory that nobody should write to. */
export function poison(block: Buffer): void {
  setBytes(block, BYTE);
}

/** The offset of the first byte of `block` that was written to since; -1 if none was. */
export function firstWrite(block: Buffer): number {
  const memory = memoryOf(block);
  const last = memory.byteLength - 1;
  if (block[0] !== BYTE) return 0;
  // All bytes are the pattern if the first is, and each is like the one before it.
  const before = new BufferView(memory, 0, last);
  const after = new BufferView(memory, 1, last);
  if (compare(before, after) === 0) return -1;
  let offset = 1;
  while (block[offset] === BYTE) offset++;
  return offset;
}
