import { expectTypeOf } from 'expect-type';
import {
  type AllocatorStats,
  Heap,
  type Level,
  Pool,
  type ProcessStats,
  processStats,
} from 'miheap';
import { collectMiheapMetrics, type MetricsOptions } from 'miheap/prometheus';
import { Registry } from 'prom-client';

expectTypeOf(processStats).returns.toEqualTypeOf<ProcessStats>();
expectTypeOf(processStats).parameters.toEqualTypeOf<[]>();
expectTypeOf<ProcessStats['allocator']>().toEqualTypeOf<AllocatorStats>();
expectTypeOf<ProcessStats['preloaded']>().toEqualTypeOf<AllocatorStats | undefined>();
expectTypeOf<AllocatorStats['committed']>().toEqualTypeOf<Level>();
expectTypeOf<AllocatorStats['purged']>().toEqualTypeOf<number>();
expectTypeOf<Level>().toEqualTypeOf<{ total: number; peak: number; current: number }>();
// @ts-expect-error: it may not be there
processStats().preloaded.committed;

expectTypeOf(collectMiheapMetrics).returns.toEqualTypeOf<void>();
expectTypeOf(collectMiheapMetrics).toBeCallableWith();
collectMiheapMetrics({ register: new Registry(), prefix: 'app_', heaps: new Set([new Heap()]) });
collectMiheapMetrics({ pools: [new Pool({ blockSize: 1000 })] });
// @ts-expect-error: a heap is no pool
collectMiheapMetrics({ pools: [new Heap()] });
// As it is after setContentType(Registry.OPENMETRICS_CONTENT_TYPE).
const open = new Registry<'application/openmetrics-text; version=1.0.0; charset=utf-8'>();
collectMiheapMetrics({ register: open });
expectTypeOf<MetricsOptions['prefix']>().toEqualTypeOf<string | undefined>();
// @ts-expect-error: a prefix is a string
collectMiheapMetrics({ prefix: 5 });
