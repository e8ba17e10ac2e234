import { OutOfMemoryError } from './errors';
import { native } from './native';

/** How much there is of something: 0 <= `current` <= `peak` <= `total`. */
export interface Level {
  /** All that was ever added. */
  total: number;
  /** The most there was at one time. */
  peak: number;
  /** What there is now. */
  current: number;
}

/**
 * What one allocator counts, for all threads of the process together: the rows of `MI_STATS` in
 * `miheap.h`. A row is a count, unless it says that it is in bytes. Each row is right by itself; all are
 * of about the same time. Blocks up to 2 MiB are not counted one by one.
 *
 * @see {@link processStats}
 */
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

/** Figures of the whole process, of every thread. Memory is in bytes, time in milliseconds. */
export interface ProcessStats {
  /** Milliseconds since the process loaded miheap. */
  elapsed: number;
  /** Milliseconds of processor time that the process has used itself. */
  user: number;
  /** Milliseconds of processor time that the system has used for the process. */
  system: number;
  /** Bytes of the process that are resident, miheap's or not. */
  rss: number;
  /** The most bytes that were resident at one time. */
  peakRss: number;
  /** How often the process had to wait for a page to be read from a disk. */
  pageFaults: number;
  /** Bytes of all living buffers and tokens of miheap, as they were asked for; shared memory counts once. */
  heldBytes: number;
  /** Blocks of all living buffers of miheap. */
  heldBlocks: number;
  /** The allocator below `Heap`, `Pool` and `Region`. */
  allocator: AllocatorStats;
  /**
   * The allocator below everything else, where the process runs under `miheap run` or has the library
   * in `LD_PRELOAD`: a copy of its own, with figures of its own. Undefined where there is none.
   */
  preloaded: AllocatorStats | undefined;
}

/**
 * How much memory the process has, and how much of it is miheap's. It asks the system: call it as often as
 * a metrics server asks, not for every request.
 *
 * @throws {@link OutOfMemoryError} if there is no memory for the figures.
 *
 * @example
 * ```ts
 * import { processStats } from 'miheap';
 *
 * const { heldBytes, allocator, preloaded } = processStats();
 * console.log(`${heldBytes} bytes in ${allocator.committed.current} bytes of memory`);
 * if (preloaded) console.log(`malloc: ${preloaded.committed.current} bytes`);
 * ```
 */
export function processStats(): ProcessStats {
  const [elapsed, user, system, rss, peakRss, pageFaults, heldBytes, heldBlocks] =
    native.processStats();
  const own = native.allocatorStats();
  if (own === null) throw new OutOfMemoryError('statistics');
  const allocator = rowsOf(own) as unknown as AllocatorStats;
  return {
    elapsed,
    user,
    system,
    rss,
    peakRss,
    pageFaults,
    heldBytes,
    heldBlocks,
    allocator,
    preloaded: preloadedStats(allocator),
  };
}

/**
 * The rows of the preloaded library, if it has all rows of `like`. It may be another version of miheap, or
 * another library whose functions have the same names.
 */
function preloadedStats(like: AllocatorStats): AllocatorStats | undefined {
  const text = native.preloadedStats();
  if (text === null || !text.includes('"miheap_version"')) return undefined;
  const rows = rowsOf(text);
  const names = Object.keys(like);
  if (!names.every((name) => name in rows)) return undefined;
  return Object.fromEntries(names.map((name) => [name, rows[name]])) as unknown as AllocatorStats;
}

/** The rows of `MI_STATS`, with names in camel case. */
function rowsOf(text: string): Record<string, unknown> {
  const { version, miheap_version, process, options, ...rows } = JSON.parse(text);
  return Object.fromEntries(Object.entries(rows).map(([name, value]) => [camelCase(name), value]));
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
