import {
  AlignmentUnavailableError,
  AlreadyFreedError,
  InvalidTypeError,
  InvalidValueError,
  NotOwnedError,
  OutOfMemoryError,
  TokenError,
} from './errors';
import { Status } from './native';

/** What to throw for a status of the addon other than Ok and Limit. */
export function failure(status: Status, value: unknown, size = 0, align = 0): Error {
  switch (status) {
    case Status.NoBuffer:
      return new InvalidTypeError('buffer', 'an ArrayBuffer, or a Buffer or view of one', value);
    case Status.Detached:
      return new AlreadyFreedError();
    case Status.NotDetachable:
      return new InvalidValueError(
        'buffer',
        'a buffer that can be detached, and neither immutable nor the heap of an asm.js module',
        value,
      );
    case Status.OtherHeap:
      return new NotOwnedError('the buffer belongs to another heap');
    case Status.NoToken:
      return new TokenError();
    case Status.NoMemory:
      return new OutOfMemoryError(`${size} bytes`);
    case Status.Unaligned:
      return new AlignmentUnavailableError(align);
    default:
      return new NotOwnedError('the buffer is not from this heap');
  }
}
