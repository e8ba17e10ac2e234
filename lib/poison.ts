import { BufferView, lengthOf, memoryOf, setBytes } from './views';

const BYTE = 0xd6;

const { compare } = Buffer;

/** Fills a block that is released, so that `firstWrite` finds a write to it. */
export function poison(block: Buffer): void {
  setBytes(block, BYTE);
}

/** The offset of the first byte of `block` that changed since `poison`; -1 if none did. */
export function firstWrite(block: Buffer): number {
  const memory = memoryOf(block);
  const last = lengthOf(memory) - 1;
  if (block[0] !== BYTE) return 0;
  // If the first byte is intact, and each byte equals the one before it, all are intact.
  const before = new BufferView(memory, 0, last);
  const after = new BufferView(memory, 1, last);
  if (compare(before, after) === 0) return -1;
  let offset = 1;
  while (block[offset] === BYTE) offset++;
  return offset;
}
