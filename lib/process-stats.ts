import { native } from './native';

/** Times in milliseconds, memory in bytes. */
export interface ProcessStats {
  elapsed: number;
  user: number;
  system: number;
  /** Resident memory of the whole process, now and at its highest. */
  rss: number;
  peakRss: number;
  /** Memory that the allocator holds from the system, now and at its highest. */
  commit: number;
  peakCommit: number;
  pageFaults: number;
  /** Bytes, as asked for, and blocks that all heaps of all threads hold off-heap. */
  heldBytes: number;
  heldBlocks: number;
}

/** Figures of the whole process: every thread, every heap. */
export function processStats(): ProcessStats {
  const [
    elapsed,
    user,
    system,
    rss,
    peakRss,
    commit,
    peakCommit,
    pageFaults,
    heldBytes,
    heldBlocks,
  ] = native.processStats();
  return {
    elapsed,
    user,
    system,
    rss,
    peakRss,
    commit,
    peakCommit,
    pageFaults,
    heldBytes,
    heldBlocks,
  };
}
