import { LoadError } from './errors';
import type { OffHeapBuffer } from './heap-types';
import { isWhole, libc, root, shippedPlatforms, system } from './shipped';
import { tellOfWorkerExit } from './worker-exit';

/** A heap inside the addon. */
export type HeapHandle = { readonly heap: unique symbol };

/** What the addon answers when it has no value to give: status.h has the same list. */
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

/**
 * What shows a block: an ArrayBuffer, or anything else that a caller has given in its place. That it is
 * one is the only thing that the addon checks.
 */
export type Shown = unknown;

/** A block that was handed out: the ArrayBuffer if V8 owns its memory, else a Buffer over it. */
export type HandedOut = OffHeapBuffer | ArrayBuffer;

/**
 * The addon. Every argument has been validated, every handle is live. Nothing in it throws; what fails
 * answers with a status and has changed nothing.
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
  /** Has the garbage collector look; true if that gave bytes of the heap back at once. */
  recover(heap: HeapHandle): boolean;
  /** Bytes whose ArrayBuffer the garbage collector has found, but which are not back yet. */
  waitingBytes(heap: HeapHandle): number;

  /** `align` 0 means the natural alignment; `size` is at least 1. */
  allocate(heap: HeapHandle, size: number, align: number, zero: boolean): HandedOut | Status;
  /** Detaches `buffer`. Bytes that are new are cleared. */
  reallocate(heap: HeapHandle, buffer: Shown, size: number): HandedOut | Status;
  /** Detaches `buffer`, of any heap, and shows its block in a new one. */
  move(buffer: Shown): HandedOut | Status;
  /** Detaches `buffer`. */
  free(heap: HeapHandle, buffer: Shown): Status;
  /** Whether `buffer` shows a live block of the heap. */
  find(heap: HeapHandle, buffer: Shown): Status;
  /** Bytes, or a negative status. */
  usableSize(heap: HeapHandle, buffer: Shown): number;

  /** Detaches `buffer`; who adopts `token` gets its block. A token has at most 63 letters. */
  transfer(heap: HeapHandle, buffer: Shown, token: string): Status;
  /** Anybody who adopts `token` gets the block that `buffer` shows, too. */
  share(heap: HeapHandle, buffer: Shown, token: string): Status;
  /** A token for a buffer of no bytes. */
  offerNothing(heap: HeapHandle, token: string, once: boolean): Status;
  /** null: a buffer of no bytes. */
  adopt(heap: HeapHandle, token: string): HandedOut | null | Status;
  /** Here and for adopt, any text: what is longer than a token names none. */
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
  /** As mi_stats_get_json writes it; null if there is no memory for it. */
  allocatorStats(): string | null;
  /** The same of the library that the program's own malloc is preloaded from, if there is one. */
  preloadedStats(): string | null;
  /** `callback` is called once after a burst of frees, then not before collectIfIdle was true. */
  onCollectWanted(callback: () => void): void;
  /** Returns free memory to the system; false if blocks came or went since the last call. */
  collectIfIdle(): boolean;
  /** To be called in a worker: first, and as it ends. */
  endsEarly(): void;
  beforeEnd(): void;

  /** Replaces this process; returns an errno value if that fails. */
  execute(file: string, argv: string[], environment: string[]): number;
}

export const native = load();

tellOfWorkerExit(native);

/** The options of Node that keep the native module from loading, if any do. */
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
