type BufferConstructor = new (memory: ArrayBuffer, byteOffset: number, length: number) => Buffer;

function bufferFrom(memory: ArrayBuffer, byteOffset: number, length: number): Buffer {
  return Buffer.from(memory, byteOffset, length);
}

const species: unknown = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species];

/**
 * The class of every Buffer, which Node shows as the species of `Buffer`. To construct one takes half the
 * time of `Buffer.from`, which checks what a façade knows already.
 */
export const BufferView = (typeof species === 'function' && species.prototype === Buffer.prototype
  ? species
  : bufferFrom) as unknown as BufferConstructor;

/**
 * Whether a Buffer that was made over some bytes still shows them: a detached one does not. An element is
 * the one thing that is quick to ask for and that no property of the Buffer's own can hide.
 */
export function showsMemory(buffer: Buffer): boolean {
  return buffer[0] !== undefined;
}

const { getOwnPropertyDescriptor, getPrototypeOf } = Object;
const typedArray = getPrototypeOf(Uint8Array.prototype);
const bufferOf = getOwnPropertyDescriptor(typedArray, 'buffer')?.get as () => ArrayBuffer;

/** The ArrayBuffer of a Buffer, whatever properties of its own that has. */
export function memoryOf(buffer: Buffer): ArrayBuffer {
  return bufferOf.call(buffer);
}

const { fill } = Uint8Array.prototype;

/** Sets the bytes from `start` to before `end`. */
export function setBytes(buffer: Buffer, byte: number, start = 0, end = buffer.length): void {
  fill.call(buffer, byte, start, end);
}
