export {
  AlignmentUnavailableError,
  AlreadyFreedError,
  HeapDestroyedError,
  HeapLimitError,
  InvalidTypeError,
  InvalidValueError,
  LoadError,
  MiheapError,
  NotOwnedError,
  OutOfMemoryError,
  OutOfRangeError,
  PeerDependencyError,
  TokenError,
} from './errors';
export { Heap } from './heap';
export type {
  AllocFromOptions,
  AllocOptions,
  BufferLike,
  HeapOptions,
  HeapStats,
  SizeClassStats,
  TypedArrayConstructor,
} from './heap-types';
export type { LimitMessage } from './limit';
export {
  type AllocatorStats,
  type Level,
  type ProcessStats,
  processStats,
} from './process-stats';
export { releaseToken, Token, type TokenClone } from './token';
