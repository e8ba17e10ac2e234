import { LoadError } from './errors';
import { libc, platform, root, shippedPlatforms } from './shipped';

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
}

/**
 * The addon. It checks nothing: every argument has been validated, every handle is live. Nothing in
 * it throws; what fails answers with a status and has changed nothing.
 */
export interface Native {
  /** False where the runtime only takes buffers over memory that it allocated itself. */
  readonly external: boolean;

  newHeap(limit: number): HeapHandle | Status;
  destroyHeap(heap: HeapHandle): void;
  collectHeap(heap: HeapHandle, force: boolean): void;
  heapStats(
    heap: HeapHandle,
  ): [bytes: number, blocks: number, peakBytes: number, allocated: number, collected: number];

  /** `align` 0 means the natural alignment; `size` is at least 1. */
  allocate(heap: HeapHandle, size: number, align: number, zero: boolean): ArrayBuffer | Status;
  /** Detaches `buffer`. `zero` is for the bytes that are new. */
  reallocate(
    heap: HeapHandle,
    buffer: ArrayBuffer,
    size: number,
    zero: boolean,
  ): ArrayBuffer | Status;
  free(heap: HeapHandle, buffer: ArrayBuffer): Status;
  /** Detaches `buffer`, of any heap, and shows its block in a new one. */
  transfer(buffer: ArrayBuffer): ArrayBuffer | Status;
  /** Bytes, or a negative status. */
  usableSize(heap: HeapHandle, buffer: ArrayBuffer): number;

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

  /** Replaces this process; returns an errno value if that fails. */
  execute(file: string, argv: string[], environment: string[]): number;
}

export const native = load();

function load(): Native {
  try {
    return require('node-gyp-build')(root);
  } catch (cause) {
    const system = libc === '' ? platform : `${platform} (${libc})`;
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
