import { constants } from 'node:buffer';
import { types } from 'node:util';
import { InvalidTypeError, InvalidValueError, OutOfRangeError } from './errors';

const MAX_SIZE = constants.MAX_LENGTH;
const MAX_ALIGN = 2 ** 30;

export function checkSize(name: string, value: unknown, most = MAX_SIZE): asserts value is number {
  checkInteger(name, value, 0, most);
}

export function checkLimit(value: unknown): asserts value is number {
  if (value !== Number.POSITIVE_INFINITY) checkInteger('limit', value, 0, Number.MAX_SAFE_INTEGER);
}

export function checkAlign(value: unknown): asserts value is number {
  checkInteger('align', value, 1, MAX_ALIGN);
  if ((value & (value - 1)) !== 0) throw new InvalidValueError('align', 'a power of two', value);
}

export function checkBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw new InvalidTypeError(name, 'a boolean', value);
}

export function checkOptions(value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null) {
    throw new InvalidTypeError('options', 'an object', value);
  }
}

/** The ArrayBuffer that a view shows, or that is given itself. */
export function arrayBufferOf(value: unknown): ArrayBuffer {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  if (types.isArrayBuffer(buffer)) return buffer;
  throw new InvalidTypeError('buffer', 'a Buffer, a view or an ArrayBuffer', value);
}

function checkInteger(
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
