import { constants } from 'node:buffer';
import { types } from 'node:util';
import { InvalidTypeError, InvalidValueError, OutOfRangeError } from './errors';
import type { Shown } from './native';
import { bytesOfView, memoryOfView } from './views';

/** The most bytes that a buffer can have. */
export const MAX_SIZE = constants.MAX_LENGTH;
const MAX_ALIGN = 2 ** 30;

export function checkSize(name: string, value: unknown): asserts value is number {
  checkInteger(name, value, 0, MAX_SIZE);
}

/** Whether `value`, which is or derives from one of our classes, can be used: a proxy of it may not. */
export function isUsable(value: { readonly destroyed: boolean }): boolean {
  try {
    return typeof value.destroyed === 'boolean';
  } catch {
    return false;
  }
}

export function checkLimit(value: unknown): asserts value is number {
  if (value !== Number.POSITIVE_INFINITY) checkInteger('limit', value, 0, Number.MAX_SAFE_INTEGER);
}

export function checkAlign(value: unknown): asserts value is number {
  checkInteger('align', value, 1, MAX_ALIGN);
  if ((value & (value - 1)) !== 0) throw new InvalidValueError('align', 'a power of two', value);
}

/** The options of a call that gets none. They inherit nothing that a program may have put into Object.prototype. */
export const NO_OPTIONS: Readonly<Record<never, never>> = Object.freeze(Object.create(null));

export function checkOptions(value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidTypeError('options', 'an object', value);
  }
}

export function checkString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw new InvalidTypeError(name, 'a string', value);
}

export function checkEncoding(value: unknown): asserts value is BufferEncoding {
  checkString('encoding', value);
  if (!Buffer.isEncoding(value)) throw new InvalidValueError('encoding', 'an encoding', value);
}

/**
 * Whether `Buffer.byteLength` says how many bytes a string has in `encoding`. In other encodings it says the
 * most that they can be: hexadecimal text, for one, ends at the first letter that is no digit.
 */
export function isLengthKnown(encoding: BufferEncoding): boolean {
  return !/^(?:hex|base64|base64url)$/i.test(encoding);
}

/**
 * The size of an element of the typed arrays that `type` makes: that of the class of the language which it is or
 * derives from, of any realm, whatever a derived class says of itself. Not for Buffer: it is not constructed.
 */
export function elementSizeOf(type: unknown): number {
  if (typeof type === 'function') {
    let size: unknown; // of the last one that looks like it: a derived class may call itself TypedArray
    let base = type;
    while (base !== null && base !== Buffer) {
      const parent = Object.getPrototypeOf(base);
      if (parent?.name === 'TypedArray') {
        size = (base as { BYTES_PER_ELEMENT?: unknown }).BYTES_PER_ELEMENT;
      }
      base = parent;
    }
    if (base === Buffer) size = undefined;
    if (size === 1 || size === 2 || size === 4 || size === 8) return size;
  }
  throw new InvalidTypeError('type', 'the constructor of a typed array', type);
}

/** The memory that a view shows. Any other value is taken for an ArrayBuffer; the addon checks that. */
export function shownBy(value: unknown): Shown {
  return ArrayBuffer.isView(value) ? memoryOfView(value) : value;
}

/** The bytes that `data` has now, also if it can grow. */
export function bytesOf(data: unknown): Uint8Array {
  if (!ArrayBuffer.isView(data) && !types.isAnyArrayBuffer(data)) {
    throw new InvalidTypeError(
      'data',
      'a string, a view, an ArrayBuffer or a SharedArrayBuffer',
      data,
    );
  }
  try {
    return ArrayBuffer.isView(data) ? bytesOfView(data) : new Uint8Array(data, 0, data.byteLength);
  } catch {
    throw new InvalidValueError('data', 'a buffer that is not detached', data);
  }
}

export function checkBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw new InvalidTypeError(name, 'a boolean', value);
}

export function checkInteger(
  name: string,
  value: unknown,
  least: number,
  most: number,
): asserts value is number {
  if (typeof value !== 'number') throw new InvalidTypeError(name, 'a number', value);
  if (!Number.isInteger(value)) throw new OutOfRangeError(name, 'an integer', value);
  if (value < least || value > most) {
    throw new OutOfRangeError(name, `from ${least} to ${most}`, value);
  }
}
