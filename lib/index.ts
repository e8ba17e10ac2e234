export {
  AlignmentUnavailableError,
  AlreadyFreedError,
  AlreadyReleasedError,
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
  PoolDestroyedError,
  PoolExhaustedError,
  RegionDestroyedError,
  RegionLimitError,
  StaleMarkError,
  TokenError,
  WriteAfterReleaseError,
} from './errors';
export { Heap } from './heap';
export type {
  AllocFromOptions,
  AllocOptions,
  BufferLike,
  HeapOptions,
  HeapStats,
  OffHeapBuffer,
  SizeClassStats,
  TypedArrayConstructor,
} from './heap-types';
export type { LimitMessage } from './limit';
export type { RegionMark } from './mark';
export { Pool } from './pool';
export type { PoolOptions, PoolStats } from './pool-types';
export {
  type AllocatorStats,
  type Level,
  type ProcessStats,
  processStats,
} from './process-stats';
export { Region } from './region';
export type { RegionOptions, RegionStats } from './region-types';
export { releaseToken, Token, type TokenClone } from './token';
