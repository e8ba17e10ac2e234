import { LoadError } from './errors';
import type { OffHeapBuffer } from './heap-types';
import { isWhole, libc, root, shippedPlatforms, system } from './shipped';
import { tellOfWorkerExit } from './worker-exit';

/** A heap inside the addon. */
export type HeapHandle = { readonly heap: unique symbol };

/** What a call of the addon answers when it has no value to return. status.h has the same list. */
export enum Status {
  Ok = 0,
  NotOwned = -1,
  OtherHeap = -2,
  Detached = -3,
  NoMemory = -4,
  Limit = -5,
  Unaligned = -6,
  NoBuffer = -7,
  NoToken = -8,
  NotDetachable = -9,
}

/** An ArrayBuffer that shows a block, or any other value that a caller gave in its place: the addon checks. */
export type Shown = unknown;

/** A block that was handed out: the ArrayBuffer if V8 owns its memory, else a Buffer over it. */
export type HandedOut = OffHeapBuffer | ArrayBuffer;

/**
 * The calls of the addon. The caller has validated every argument, and every handle is live. No call
 * throws: one that fails answers with a status and has changed nothing.
 */
export interface Native {
  /** False where the runtime only takes buffers over memory that it allocated itself. */
  readonly external: boolean;

  newHeap(limit: number): HeapHandle | Status;
  destroyHeap(heap: HeapHandle): void;
  /** Returns the heap's free memory to the system. */
  collectHeap(heap: HeapHandle): void;
  /** bytes, peak bytes, blocks, allocated, collected; then for each size class: up to, blocks, bytes. */
  heapStats(heap: HeapHandle): number[];
  /** Runs the garbage collector if that is worth it; true if bytes of the heap came back at once. */
  recover(heap: HeapHandle): boolean;
  /** Bytes of blocks whose ArrayBuffer was collected, and which have not come back yet. */
  waitingBytes(heap: HeapHandle): number;

  /** `align` 0 means the natural alignment; `size` is at least 1. */
  allocate(heap: HeapHandle, size: number, align: number, zero: boolean): HandedOut | Status;
  /** Detaches `buffer` and gives its block another size. Bytes beyond the old size are zero. */
  reallocate(heap: HeapHandle, buffer: Shown, size: number): HandedOut | Status;
  /** Detaches `buffer`, of any heap, and hands its block out again in a new buffer. */
  move(buffer: Shown): HandedOut | Status;
  /** Detaches `buffer` and frees its block. */
  free(heap: HeapHandle, buffer: Shown): Status;
  /** Ok if `buffer` shows a live block of the heap; else the reason. */
  find(heap: HeapHandle, buffer: Shown): Status;
  /** Bytes, or a negative status. */
  usableSize(heap: HeapHandle, buffer: Shown): number;

  /** Detaches `buffer`, and offers its block as `token`, of at most 63 bytes, to be adopted once. */
  transfer(heap: HeapHandle, buffer: Shown, token: string): Status;
  /** Offers the block that `buffer` shows as `token`, to be adopted any number of times. */
  share(heap: HeapHandle, buffer: Shown, token: string): Status;
  /** Makes a token for an empty buffer. */
  offerNothing(heap: HeapHandle, token: string, once: boolean): Status;
  /** null if `token` stands for an empty buffer. Text that is longer than a token names none. */
  adopt(heap: HeapHandle, token: string): HandedOut | null | Status;
  /** Ends a token. Text that is longer than a token names none. */
  releaseToken(token: string): Status;

  processStats(): [
    elapsed: number,
    user: number,
    system: number,
    rss: number,
    peakRss: number,
    pageFaults: number,
    heldBytes: number,
    heldBlocks: number,
  ];
  /** What mi_stats_get_json writes; null if there is no memory for it. */
  allocatorStats(): string | null;
  /** Like allocatorStats, of the library that is preloaded as the program's malloc; null if none is. */
  preloadedStats(): string | null;
  /**
   * Has `callback` called after a burst of frees, and at once if there was one: collectIfIdle is wanted in a
   * while, or soon. Holds it weakly.
   */
  onCollectWanted(callback: (soon: boolean) => void): void;
  /**
   * Returns some free memory to the system, if that is wanted, and wants another call soon, until all is returned.
   * If blocks came or went since the last call, returns only what nobody needed for a while.
   */
  collectIfIdle(): void;
  /**
   * Calls `callback` outside of every asynchronous context, but in the current `node:domain`. Returns what it
   * returns.
   */
  callOutside<T>(callback: () => T): T;
  /** To be called in a worker before any other call: it ends before the process does. */
  enableSentinel(): void;
  /** To be called in a worker as it exits by itself. */
  beforeEnd(): void;

  /** Replaces this process with the program `file`; returns an errno value if that fails. */
  execute(file: string, argv: string[], environment: string[]): number;
}

export const native = load();

tellOfWorkerExit(native);

/** What to say if options of Node keep the native module from loading. */
function whatIsForbidden(cause: unknown): string | undefined {
  switch ((cause as { code?: unknown }).code) {
    case 'ERR_DLOPEN_DISABLED':
      return 'miheap has a native module, and Node was told to load none: give it --allow-addons, or leave out --no-addons';
    case 'ERR_ACCESS_DENIED':
      return (
        "miheap has a native module, which Node's permission model does not let it find: allow to read " +
        `${root}, node-gyp-build beside it and /etc/alpine-release with --allow-fs-read, ` +
        `or set LIBC=${libc} instead of the last one`
      );
    default:
      return undefined;
  }
}

function load(): Native {
  try {
    return require('node-gyp-build')(root);
  } catch (cause) {
    const forbidden = whatIsForbidden(cause);
    if (forbidden !== undefined) throw new LoadError(forbidden, cause);
    if (!isWhole()) {
      throw new LoadError(
        `miheap cannot be part of a bundle, since it has a native module: mark it as external (${root})`,
        cause,
      );
    }
    const shipped = shippedPlatforms().join(', ') || 'none';
    throw new LoadError(
      `miheap has no native module that loads on ${system} with Node ${process.version}; ` +
        `binaries shipped: ${shipped}. To build it from source, with a C++ compiler and CMake: ` +
        'npx --yes --package cmake-js@8 --package node-addon-api@8 ' +
        `cmake-js build --directory ${JSON.stringify(root)}`,
      cause,
    );
  }
}
