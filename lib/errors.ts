import { types } from 'node:util';
import type { LimitMessage } from './limit';

/** An argument has the wrong type. */
export class InvalidTypeError extends TypeError {
  /** Tells errors apart; stays the same in all versions. */
  readonly code = 'ERR_INVALID_ARG_TYPE';

  constructor(name: string, expected: string, value: unknown) {
    super(`"${name}" must be ${expected}; got ${describe(value)}`);
  }
}

/** An argument has the right type, and a value that cannot be used. */
export class InvalidValueError extends TypeError {
  /** Tells errors apart; stays the same in all versions. */
  readonly code = 'ERR_INVALID_ARG_VALUE';

  constructor(name: string, expected: string, value: unknown) {
    super(`"${name}" must be ${expected}; got ${describe(value)}`);
  }
}

/** A number is not an integer, or outside its range. */
export class OutOfRangeError extends RangeError {
  /** Tells errors apart; stays the same in all versions. */
  readonly code = 'ERR_OUT_OF_RANGE';

  constructor(name: string, expected: string, value: unknown) {
    super(`"${name}" must be ${expected}; got ${describe(value)}`);
  }
}

/**
 * The heap would hold more bytes than its limit. It holds `liveBytes + waitingBytes`: `free` gives back
 * live bytes, and a turn of the event loop gives back waiting ones.
 */
export class HeapLimitError extends RangeError {
  /** Tells errors apart; stays the same in all versions. */
  readonly code = 'ERR_MIHEAP_LIMIT';
  /** The heap's name; empty if it has none. */
  readonly heapName: string;
  /** The most bytes that the heap may hold. */
  readonly limit: number;
  /** Bytes that were asked for, beyond those held. */
  readonly requested: number;
  /** Bytes held by buffers that the program can still reach, as far as the garbage collector knows. */
  readonly liveBytes: number;
  /** Bytes of garbage, which come back when the event loop turns. */
  readonly waitingBytes: number;

  constructor({ name, limit, requested, liveBytes, waitingBytes }: LimitMessage) {
    super(
      `the limit of ${called('heap', name)} is ${limit} bytes, and ${requested} more were asked for: ` +
        `${liveBytes} are live, as far as is known, so free what is no longer needed; ` +
        `${waitingBytes} wait for the garbage collector, and come back when the event loop turns`,
    );
    this.heapName = name;
    this.limit = limit;
    this.requested = requested;
    this.liveBytes = liveBytes;
    this.waitingBytes = waitingBytes;
  }
}

/** The base of the errors that are no TypeError and no RangeError; `code` says what went wrong. */
export class MiheapError extends Error {
  /** Tells errors apart; stays the same in all versions. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The system has no more memory to give. */
export class OutOfMemoryError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_OUT_OF_MEMORY';

  constructor(what: string) {
    super('ERR_MIHEAP_OUT_OF_MEMORY', `out of memory: ${what}`);
  }
}

/** The buffer or the mark is from another heap, pool or region, or from none. */
export class NotOwnedError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_NOT_OWNED';

  constructor(message: string) {
    super('ERR_MIHEAP_NOT_OWNED', message);
  }
}

/** The buffer is detached: it no longer shows any memory. */
export class AlreadyFreedError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_ALREADY_FREED';

  constructor() {
    super(
      'ERR_MIHEAP_ALREADY_FREED',
      'the buffer is detached: it was freed before, transferred away, or its heap was destroyed',
    );
  }
}

/** The heap was destroyed. */
export class HeapDestroyedError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_DESTROYED';

  constructor(name: string) {
    super('ERR_MIHEAP_DESTROYED', `${called('heap', name)} was destroyed`);
  }
}

/** No block waits to be adopted with this token. */
export class TokenError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_TOKEN';

  constructor() {
    super(
      'ERR_MIHEAP_TOKEN',
      'no block waits for this token: it was adopted or released, the thread that made it has ended, ' +
        'or it never was a token',
    );
  }
}

/** Every block of the pool is held, and it may have no more. */
export class PoolExhaustedError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_POOL_EXHAUSTED';

  constructor(name: string, max: number) {
    super(
      'ERR_MIHEAP_POOL_EXHAUSTED',
      `${called('pool', name)} has ${max} blocks and all are held: release one, or wait with ` +
        'acquireAsync; blocks dropped without release come back once the garbage collector finds them',
    );
  }
}

/** The block was released before, and was not acquired since. */
export class AlreadyReleasedError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_ALREADY_RELEASED';

  constructor(name: string) {
    super('ERR_MIHEAP_ALREADY_RELEASED', `the buffer is not held: ${called('pool', name)} has it`);
  }
}

/** A block was written to after its release. The pool has given the block up. */
export class WriteAfterReleaseError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_WRITE_AFTER_RELEASE';

  /** The first byte of the block that was changed. */
  readonly offset: number;

  constructor(name: string, offset: number) {
    super(
      'ERR_MIHEAP_WRITE_AFTER_RELEASE',
      `a block of ${called('pool', name)} was written to after its release, at byte ${offset}`,
    );
    this.offset = offset;
  }
}

/** The pool was destroyed. */
export class PoolDestroyedError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_DESTROYED';

  constructor(name: string) {
    super('ERR_MIHEAP_DESTROYED', `${called('pool', name)} was destroyed`);
  }
}

/** The region was destroyed. */
export class RegionDestroyedError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_DESTROYED';

  constructor(name: string) {
    super('ERR_MIHEAP_DESTROYED', `${called('region', name)} was destroyed`);
  }
}

/** The chunks of the region would have more bytes than its limit. */
export class RegionLimitError extends RangeError {
  /** Tells errors apart; stays the same in all versions. */
  readonly code = 'ERR_MIHEAP_LIMIT';
  /** The region's name; empty if it has none. */
  readonly regionName: string;
  /** The most bytes that the region may hold. */
  readonly limit: number;
  /** Bytes that were asked for. */
  readonly requested: number;
  /** Bytes of the chunks that the region holds. */
  readonly bytes: number;

  constructor(name: string, limit: number, requested: number, bytes: number) {
    super(
      `the limit of ${called('region', name)} is ${limit} bytes, and ${requested} were asked for: ` +
        `its chunks have ${bytes} and no room for that`,
    );
    this.regionName = name;
    this.limit = limit;
    this.requested = requested;
    this.bytes = bytes;
  }
}

/** The mark is no longer a place in the region: it was reset, or rewound to an earlier mark. */
export class StaleMarkError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_STALE_MARK';

  constructor(name: string) {
    super(
      'ERR_MIHEAP_STALE_MARK',
      `the mark is no longer valid: ${called('region', name)} was reset or rewound past it`,
    );
  }
}

/** The runtime owns buffer memory itself and cannot align it as asked. */
export class AlignmentUnavailableError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM';

  /** `align` is 0 if the block must be aligned like the one that it replaces. */
  constructor(align: number) {
    super(
      'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
      `this runtime forbids external buffers and cannot align ${align === 0 ? 'as the block is' : `to ${align}`}`,
    );
  }
}

/** The native module is missing or does not load. */
export class LoadError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_LOAD';

  constructor(message: string, cause: unknown) {
    super('ERR_MIHEAP_LOAD', message, { cause });
  }
}

/** A package that you install beside miheap is missing, or is not what it should be. */
export class PeerDependencyError extends MiheapError {
  /** Tells errors apart; stays the same in all versions. */
  declare readonly code: 'ERR_MIHEAP_PEER_DEPENDENCY';

  constructor(name: string, problem: string, cause?: unknown) {
    super('ERR_MIHEAP_PEER_DEPENDENCY', `${name} ${problem}`, { cause });
  }
}

/** How a message speaks of a heap, a pool or a region, which may have no name. */
function called(kind: 'heap' | 'pool' | 'region', name: string): string {
  return name === '' ? `the ${kind}` : `${kind} ${JSON.stringify(name)}`;
}

function describe(value: unknown): string {
  if (value === null || /^(?:undefined|boolean|number)$/.test(typeof value)) return String(value);
  if (types.isProxy(value)) return 'a Proxy';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === 'object') {
    return `an instance of ${nameIn(() => value.constructor.name) || 'Object'}`;
  }
  if (typeof value === 'function') return `a function ${nameIn(() => value.name)}`.trimEnd();
  return `a ${typeof value}`;
}

/** What `read` returns; '' if there is no name, or a getter or a proxy throws. */
function nameIn(read: () => unknown): string {
  try {
    return String(read());
  } catch {
    return '';
  }
}
