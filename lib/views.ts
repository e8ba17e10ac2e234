import type { OffHeapBuffer } from './heap-types';

type BufferConstructor = new (
  memory: ArrayBuffer,
  byteOffset: number,
  length: number,
) => OffHeapBuffer;

function bufferFrom(memory: ArrayBuffer, byteOffset: number, length: number): OffHeapBuffer {
  return Buffer.from(memory, byteOffset, length);
}

const species: unknown = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species];

/**
 * The class of every Buffer, which Node shows as the species of `Buffer`. Constructing one takes half the
 * time of `Buffer.from`, which checks what a façade knows already.
 */
export const BufferView = (typeof species === 'function' && species.prototype === Buffer.prototype
  ? species
  : bufferFrom) as unknown as BufferConstructor;

/**
 * Whether a Buffer that was made over at least one byte is not detached. Reading an element is quick, and no
 * property of the Buffer's own can hide it.
 */
export function showsMemory(buffer: Buffer): boolean {
  return buffer[0] !== undefined;
}

const { getOwnPropertyDescriptor, getPrototypeOf } = Object;

/** The getter of a property that only the runtime can set. */
function getter<T>(prototype: object, name: string | symbol): () => T {
  return getOwnPropertyDescriptor(prototype, name)?.get as () => T;
}

function gettersOf(prototype: object) {
  return {
    buffer: getter<ArrayBufferLike>(prototype, 'buffer'),
    byteOffset: getter<number>(prototype, 'byteOffset'),
    byteLength: getter<number>(prototype, 'byteLength'),
  };
}

const typedArray = getPrototypeOf(Uint8Array.prototype);
const kindOf = getter<string | undefined>(typedArray, Symbol.toStringTag);
const ofTypedArray = gettersOf(typedArray);
const ofDataView = gettersOf(DataView.prototype);
const bufferOf = ofTypedArray.buffer as () => ArrayBuffer;

const byteLength = getter<number>(ArrayBuffer.prototype, 'byteLength');

/** The bytes of an ArrayBuffer, whatever its own properties say. */
export function lengthOf(memory: ArrayBuffer): number {
  return byteLength.call(memory);
}

/** The ArrayBuffer of a Buffer, whatever the Buffer's own properties say. */
export function memoryOf(buffer: Buffer): ArrayBuffer {
  return bufferOf.call(buffer);
}

/** The memory of any view, whatever a class derived from it says. */
export function memoryOfView(view: ArrayBufferView): ArrayBufferLike {
  const isTypedArray = kindOf.call(view) !== undefined;
  return isTypedArray ? bufferOf.call(view) : ofDataView.buffer.call(view);
}

/** The bytes that a view shows. */
export function bytesOfView(view: ArrayBufferView): Uint8Array {
  const { buffer, byteOffset, byteLength } =
    kindOf.call(view) !== undefined ? ofTypedArray : ofDataView;
  return new Uint8Array(buffer.call(view), byteOffset.call(view), byteLength.call(view));
}

const { fill } = Uint8Array.prototype;

/** Sets the bytes from `start` up to, but not including, `end`, or the last one. */
export function setBytes(buffer: Buffer, byte: number, start = 0, end?: number): void {
  fill.call(buffer, byte, start, end);
}
