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
} from './errors';
export {
  type AllocOptions,
  type BufferLike,
  Heap,
  type HeapOptions,
  type HeapStats,
  type ReallocOptions,
  type TypedArrayConstructor,
} from './heap';
export {
  type AllocatorStats,
  type Level,
  type ProcessStats,
  processStats,
} from './process-stats';
