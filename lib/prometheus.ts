import type { Counter, Gauge, Registry, RegistryContentType } from 'prom-client';
import { InvalidTypeError, InvalidValueError, PeerDependencyError } from './errors';
import { Heap } from './heap';
import type { HeapStats } from './heap-types';
import { Pool } from './pool';
import type { PoolStats } from './pool-types';
import { type AllocatorStats, type Level, type ProcessStats, processStats } from './process-stats';
import { checkOptions, checkString, isUsable, NO_OPTIONS } from './validate';

/** Options of {@link collectMiheapMetrics}. */
export interface MetricsOptions {
  /** Where the metrics are registered. Default: the `register` of prom-client. */
  register?: Registry<RegistryContentType> | undefined;
  /**
   * What the name of each metric begins with: letters, digits, `_` and `:`, and no digit first.
   * Default: `'miheap_'`.
   */
  prefix?: string | undefined;
  /**
   * Heaps of this thread that get metrics of their own, labelled with their names; heaps of one name are
   * added up. A Set may gain and lose heaps later. A destroyed heap is left out, so give heaps that come
   * and go names of their own, or the counters of a name fall. An iterator will not do: the heaps are gone
   * through again and again. Default: none.
   */
  heaps?: Iterable<Heap> | undefined;
  /** Pools of this thread that get metrics of their own, like `heaps`. Default: none. */
  pools?: Iterable<Pool> | undefined;
}

type Client = typeof import('prom-client');

/** Name without prefix, and HELP text, for each row that an allocator counts. */
const ROWS: Record<keyof AllocatorStats, [name: string, help: string]> = {
  reserved: ['reserved_bytes', 'Address space taken from the system.'],
  committed: ['committed_bytes', 'Memory of the allocator that may be resident.'],
  mallocHuge: ['huge_blocks_bytes', 'Living blocks above 2 MiB.'],
  segments: ['segments', 'Segments (4 MiB) in use.'],
  segmentsAbandoned: ['abandoned_segments', 'Segments whose thread has ended.'],
  pages: ['pages', 'Pages in use, but for those of huge blocks.'],
  threads: ['threads', 'Threads that allocate.'],
  purged: ['purged_bytes_total', 'Memory given back to the system.'],
  reset: ['reset_bytes_total', 'Of that, memory that stays until the system needs it.'],
  purgeCalls: ['purge_calls_total', 'Calls that gave memory back to the system.'],
  resetCalls: ['reset_calls_total', 'Of those, calls that left it until the system needs it.'],
  mmapCalls: ['mmap_calls_total', 'Mappings made.'],
  mallocHugeCount: ['huge_blocks_total', 'Blocks above 2 MiB that were allocated.'],
  pagesExtended: ['page_extensions_total', 'Times that a page laid out more blocks.'],
  pagesRetire: ['page_retirements_total', 'Empty pages that were kept for a while.'],
  pageSearches: ['page_searches_total', 'Pages that the slow path looked at.'],
  slowCalls: ['slow_calls_total', 'Calls of the slow path.'],
  segmentsReclaimed: ['reclaimed_segments_total', 'Abandoned segments that were adopted.'],
  commitCalls: ['commit_calls_total', 'Times that memory became committed.'],
  arenaCount: ['arenas_total', 'Arenas made.'],
};

/** Name without prefix, HELP text, and what reads the value from statistics: undefined is left out. */
type Row<Stats> = [name: string, help: string, read: (stats: Stats) => number | undefined];

interface Named<Stats> {
  readonly name: string;
  readonly destroyed: boolean;
  stats(): Stats;
}

const HELD_ROWS: Row<ProcessStats>[] = [
  ['held_bytes', 'Living buffers, as they were asked for.', ({ heldBytes }) => heldBytes],
  ['held_blocks', 'Blocks of the living buffers.', ({ heldBlocks }) => heldBlocks],
];

const HEAP_ROWS: Row<HeapStats>[] = [
  ['heap_bytes', 'Living buffers of the heap, as they were asked for.', ({ bytes }) => bytes],
  [
    'heap_peak_bytes',
    'The sum of the most bytes that each of its heaps ever had.',
    ({ peakBytes }) => peakBytes,
  ],
  [
    'heap_limit_bytes',
    'The sum of the limits of those heaps that have one.',
    // A cluster's workers send their figures as JSON, which has no infinity.
    ({ limit }) => (limit === Number.POSITIVE_INFINITY ? undefined : limit),
  ],
  ['heap_blocks', 'Blocks of the living buffers.', ({ blocks }) => blocks],
  ['heap_allocated_total', 'Blocks that were handed out.', ({ allocated }) => allocated],
  [
    'heap_collected_total',
    'Of those, blocks that the garbage collector gave back instead of free.',
    ({ collected }) => collected,
  ],
];

const POOL_ROWS: Row<PoolStats>[] = [
  ['pool_bytes', 'All blocks of the pool, held or free.', ({ bytes }) => bytes],
  ['pool_blocks', 'Blocks of the pool, held or free.', ({ blocks }) => blocks],
  ['pool_held_blocks', 'Blocks that were acquired and not released.', ({ held }) => held],
  ['pool_waiting', 'Calls of acquireAsync that wait.', ({ waiting }) => waiting],
  ['pool_created_total', 'Blocks that were made.', ({ created }) => created],
  ['pool_lost_total', 'Of those, blocks that never came back.', ({ lost }) => lost],
];

/**
 * Registers metrics of miheap with [prom-client](https://www.npmjs.com/package/prom-client), which you
 * install yourself: `npm install prom-client`. They are read when the registry is asked for its
 * metrics, and cost nothing in between.
 *
 * | metric | labels | what it is |
 * |---|---|---|
 * | `miheap_held_bytes`, `miheap_held_blocks` | | living buffers |
 * | `miheap_committed_bytes`, `miheap_purged_bytes_total`, … | `allocator` | the rows of `AllocatorStats` |
 * | `miheap_heap_bytes`, `miheap_heap_limit_bytes`, … | `heap` | the rows of `HeapStats`, for `heaps` |
 * | `miheap_pool_bytes`, `miheap_pool_held_blocks`, … | `pool` | the rows of `PoolStats`, for `pools` |
 *
 * `allocator` is `buffers` for what is below `Heap`, `Pool` and `Region`, and `malloc` for the preloaded
 * library, if there is one.
 *
 * @throws {@link PeerDependencyError} if prom-client is not installed, or is something else.
 * @throws {@link InvalidTypeError} if `options` or one of them has the wrong type.
 * @throws {@link InvalidValueError} if `prefix` cannot begin a name, or the registry has metrics of these
 *   names.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import { Heap } from 'miheap';
 * import { collectMiheapMetrics } from 'miheap/prometheus';
 * import { register } from 'prom-client';
 *
 * const cache = new Heap({ name: 'cache', limit: 512 * 1024 * 1024 });
 * collectMiheapMetrics({ heaps: [cache] });
 * createServer(async (request, response) => response.end(await register.metrics())).listen(9090);
 * ```
 */
export function collectMiheapMetrics(options: MetricsOptions = NO_OPTIONS): void {
  checkOptions(options);
  const { prefix = 'miheap_', register: given, heaps, pools } = options;
  checkPrefix(prefix);
  if (heaps !== undefined) checkAll('heaps', heaps, Heap);
  if (pools !== undefined) checkAll('pools', pools, Pool);
  if (given !== undefined) checkRegister(given);
  const client = promClient();
  const register = given ?? client.register;
  const rows = [
    ...HELD_ROWS,
    ...Object.values(ROWS),
    ...(heaps === undefined ? [] : HEAP_ROWS),
    ...(pools === undefined ? [] : POOL_ROWS),
  ];
  if (rows.some(([name]) => register.getSingleMetric(prefix + name) !== undefined)) {
    throw new InvalidValueError('prefix', 'one that the registry has no metrics of', prefix);
  }

  const add = <Label extends string>(
    [name, help]: readonly [name: string, help: string, ...unknown[]],
    labelNames: Label[],
    collect: (metric: Counter<Label> | Gauge<Label>) => void,
  ) => {
    const Metric = name.endsWith('_total') ? client.Counter : client.Gauge;
    new Metric({
      name: prefix + name,
      help,
      labelNames,
      registers: [register as Registry],
      collect() {
        this.reset();
        collect(this);
      },
    });
  };
  const addNamed = <Stats>(kind: string, all: Iterable<Named<Stats>>, rows: Row<Stats>[]) => {
    for (const row of rows) {
      add(row, [kind], (metric) => {
        for (const one of all) {
          const value = one.destroyed ? undefined : row[2](one.stats());
          if (value !== undefined) metric.inc({ [kind]: one.name }, value);
        }
      });
    }
  };

  const stats = oncePerTick(processStats);
  for (const row of HELD_ROWS) add(row, [], (metric) => metric.inc(row[2](stats())));
  for (const key of Object.keys(ROWS) as (keyof AllocatorStats)[]) {
    add(ROWS[key], ['allocator'], (metric) => {
      const { allocator, preloaded } = stats();
      metric.inc({ allocator: 'buffers' }, current(allocator[key]));
      if (preloaded !== undefined) metric.inc({ allocator: 'malloc' }, current(preloaded[key]));
    });
  }
  if (heaps !== undefined) addNamed('heap', heaps, HEAP_ROWS);
  if (pools !== undefined) addNamed('pool', pools, POOL_ROWS);
}

function current(row: Level | number): number {
  return typeof row === 'number' ? row : row.current;
}

/**
 * A registry that is asked for its metrics collects all of them before anything else runs. So `take` is
 * called once for all of them, and their figures are of one moment.
 */
function oncePerTick<T>(take: () => T): () => T {
  let taken: { value: T } | undefined;
  return () => {
    if (taken === undefined) {
      taken = { value: take() };
      queueMicrotask(() => {
        taken = undefined;
      });
    }
    return taken.value;
  };
}

function promClient(): Client {
  let client: Partial<Client>;
  try {
    client = require('prom-client');
  } catch (cause) {
    throw new PeerDependencyError(
      'prom-client',
      'cannot be loaded; to install it: npm install prom-client',
      cause,
    );
  }
  const { Counter, Gauge, register } = client;
  if (typeof Counter === 'function' && typeof Gauge === 'function' && isRegister(register)) {
    return client as Client;
  }
  throw new PeerDependencyError('prom-client', 'has no Counter, Gauge and register');
}

function isRegister(value: unknown): value is Registry {
  const { registerMetric, getSingleMetric } = (value ?? {}) as Partial<Registry>;
  return typeof registerMetric === 'function' && typeof getSingleMetric === 'function';
}

function checkRegister(value: unknown): asserts value is Registry {
  if (!isRegister(value))
    throw new InvalidTypeError('register', 'a Registry of prom-client', value);
}

/** Whether `value` can be gone through again and again. An iterator cannot: it returns itself. */
function isIterable(value: unknown): value is Iterable<unknown> {
  const iterable = value as Iterable<unknown> | null | undefined;
  if (typeof iterable?.[Symbol.iterator] !== 'function') return false;
  const iterator: unknown = iterable[Symbol.iterator]();
  return iterator !== value;
}

function checkAll(name: string, value: unknown, type: typeof Heap | typeof Pool): void {
  if (!isIterable(value)) {
    throw new InvalidTypeError(name, `an array or a Set of ${name}`, value);
  }
  for (const one of value) {
    if (!(one instanceof type && isUsable(one))) {
      throw new InvalidTypeError(name, `made of ${name} of this copy of miheap`, one);
    }
  }
}

function checkPrefix(value: unknown): asserts value is string {
  checkString('prefix', value);
  if (!/^([a-zA-Z_:][a-zA-Z0-9_:]*)?$/.test(value)) {
    throw new InvalidValueError(
      'prefix',
      'letters, digits, _ and :, not beginning with a digit',
      value,
    );
  }
}
