/** An argument has the wrong type. */
export class InvalidTypeError extends TypeError {
  readonly code = 'ERR_INVALID_ARG_TYPE';

  constructor(name: string, expected: string, value: unknown) {
    super(`"${name}" must be ${expected}; got ${describe(value)}`);
  }
}

/** An argument has the right type, and a value that cannot be used. */
export class InvalidValueError extends TypeError {
  readonly code = 'ERR_INVALID_ARG_VALUE';

  constructor(name: string, expected: string, value: unknown) {
    super(`"${name}" must be ${expected}; got ${describe(value)}`);
  }
}

/** A number is not an integer, or outside its range. */
export class OutOfRangeError extends RangeError {
  readonly code = 'ERR_OUT_OF_RANGE';

  constructor(name: string, expected: string, value: unknown) {
    super(`"${name}" must be ${expected}; got ${describe(value)}`);
  }
}

/** The heap's byte limit would be passed. */
export class HeapLimitError extends RangeError {
  readonly code = 'ERR_MIHEAP_LIMIT';

  constructor(limit: number, held: number, size: number) {
    super(
      `the heap's limit is ${limit} bytes, ${held} are held and ${size} were asked for; ` +
        'free buffers that are no longer needed, or let the event loop turn: ' +
        'what the garbage collector found only comes back then',
    );
  }
}

/** What went wrong with a heap or a block; `code` says what. */
export class MiheapError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The system has no more memory to give. */
export class OutOfMemoryError extends MiheapError {
  constructor(what: string) {
    super('ERR_MIHEAP_OUT_OF_MEMORY', `out of memory: ${what}`);
  }
}

/** The buffer is not a block of this heap. */
export class NotOwnedError extends MiheapError {
  constructor(message: string) {
    super('ERR_MIHEAP_NOT_OWNED', message);
  }
}

/** The buffer is detached: it no longer shows any memory. */
export class AlreadyFreedError extends MiheapError {
  constructor() {
    super(
      'ERR_MIHEAP_ALREADY_FREED',
      'the buffer is detached: it was freed before, transferred away, or its heap was destroyed',
    );
  }
}

/** The heap was destroyed. */
export class HeapDestroyedError extends MiheapError {
  constructor() {
    super('ERR_MIHEAP_DESTROYED', 'the heap was destroyed');
  }
}

/** The runtime owns buffer memory itself and cannot align it as asked. */
export class AlignmentUnavailableError extends MiheapError {
  constructor(align: number) {
    super(
      'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
      `this runtime forbids external buffers and cannot align to ${align}`,
    );
  }
}

/** The native module is missing or does not load. */
export class LoadError extends MiheapError {
  constructor(message: string, cause: unknown) {
    super('ERR_MIHEAP_LOAD', message, { cause });
  }
}

/** A package that you install beside miheap is missing, or is not what it should be. */
export class PeerDependencyError extends MiheapError {
  constructor(name: string, problem: string, cause?: unknown) {
    super('ERR_MIHEAP_PEER_DEPENDENCY', `${name} ${problem}`, { cause });
  }
}

function describe(value: unknown): string {
  if (typeof value === 'number' || value === null || value === undefined) return String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === 'object') return `an instance of ${value.constructor?.name ?? 'Object'}`;
  return `a ${typeof value}`;
}
