import { OutOfMemoryError } from './errors';
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

/** What there is: now, at its highest, and all that was ever added. */
export interface Level {
  total: number;
  peak: number;
  current: number;
}

/** What the allocator counts, for the whole process: MI_STATS in miheap.h. */
export interface AllocatorStats {
  /** address space taken from the system (bytes) */
  reserved: Level;
  /** memory that may be resident (bytes) */
  committed: Level;
  /** blocks above 2 MiB (bytes) */
  mallocHuge: Level;
  /** segments in use */
  segments: Level;
  /** segments without an owner */
  segmentsAbandoned: Level;
  /** pages in use, but for those of huge blocks */
  pages: Level;
  /** threads that allocate */
  threads: Level;
  /** memory given back to the system (bytes) */
  purged: number;
  /** of that, memory that stays until the system needs it (bytes) */
  reset: number;
  /** calls that gave memory back */
  purgeCalls: number;
  /** of those, calls that left it until it is needed */
  resetCalls: number;
  /** mappings made */
  mmapCalls: number;
  /** blocks above 2 MiB */
  mallocHugeCount: number;
  /** times that a page laid out more blocks */
  pagesExtended: number;
  /** empty pages kept for a while */
  pagesRetire: number;
  /** pages looked at by the slow path */
  pageSearches: number;
  /** calls of the slow path */
  slowCalls: number;
  /** abandoned segments adopted */
  segmentsReclaimed: number;
  /** times that memory became committed */
  commitCalls: number;
  /** arenas made */
  arenaCount: number;
}

/**
 * Figures for those who tune: how memory was taken, used and given back. Blocks up to 2 MiB are not
 * counted one by one.
 */
export function allocatorStats(): AllocatorStats {
  const text = native.allocatorStats();
  if (text === null) throw new OutOfMemoryError('statistics');
  const { version, miheap_version, process, options, ...rows } = JSON.parse(text);
  return Object.fromEntries(
    Object.entries(rows).map(([name, value]) => [camelCase(name), value]),
  ) as unknown as AllocatorStats;
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
