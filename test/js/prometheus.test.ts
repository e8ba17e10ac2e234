import { describe, expect, test } from '@jest/globals';
import { type Counter, Gauge, Registry, register } from 'prom-client';
import { Heap, Pool, processStats } from '../../lib';
import { collectMiheapMetrics } from '../../lib/prometheus';
import { preloadLibrary } from '../../lib/shipped';
import { codeOf, runProgram, thrownBy } from './support';

interface Metric {
  name: string;
  help: string;
  type: string;
  values: { value: number; labels: Record<string, string> }[];
}

async function collected(registry: Registry, prefix = 'miheap_'): Promise<Map<string, Metric>> {
  const metrics = (await registry.getMetricsAsJSON()) as unknown as Metric[];
  return new Map(metrics.map((metric) => [metric.name.replace(prefix, ''), metric]));
}

describe('collectMiheapMetrics', () => {
  test('reports what processStats does', async () => {
    const registry = new Registry();
    collectMiheapMetrics({ register: registry });
    const heap = new Heap();
    const buffer = heap.alloc(10_000_000);
    const { heldBytes, heldBlocks, allocator } = processStats();
    const metrics = await collected(registry);
    const later = processStats();
    const value = (name: string) => metrics.get(name)?.values[0]?.value;
    expect(value('held_bytes')).toBe(heldBytes);
    expect(value('held_blocks')).toBe(heldBlocks);
    // What is looked at may itself take a page, and memory goes back to the system meanwhile.
    const around = [allocator, later.allocator].map((each) => each.committed.current);
    expect(value('committed_bytes')).toBeGreaterThanOrEqual(Math.min(...around));
    expect(value('committed_bytes')).toBeLessThanOrEqual(Math.max(...around));
    expect(value('huge_blocks_bytes')).toBe(allocator.mallocHuge.current);
    expect(value('huge_blocks_total')).toBe(allocator.mallocHugeCount);
    expect(value('segments')).toBe(allocator.segments.current);
    expect(value('threads')).toBe(allocator.threads.current);
    heap.free(buffer);
    const after = await collected(registry);
    expect(after.get('held_bytes')?.values[0]?.value).toBe(heldBytes - 10_000_000);
    heap.destroy();
  });

  test('has a metric for each row, named, typed and explained as Prometheus has it', async () => {
    const registry = new Registry();
    collectMiheapMetrics({ register: registry });
    const metrics = await collected(registry);
    expect(metrics.size).toBe(2 + Object.keys(processStats().allocator).length);
    for (const [name, { help, type, values }] of metrics) {
      expect(name).toMatch(/^[a-z][a-z_]*[a-z]$/);
      expect([name, type]).toEqual([name, name.endsWith('_total') ? 'counter' : 'gauge']);
      expect(help).toMatch(/^[A-Z].*\.$/);
      expect(values).toHaveLength(1);
      if (!name.startsWith('held_')) expect(values[0]?.labels).toEqual({ allocator: 'buffers' });
    }
  });

  test('reports the heaps that it is given', async () => {
    const registry = new Registry();
    const cache = new Heap({ name: 'cache', limit: 5000 });
    const heaps = new Set([cache]);
    collectMiheapMetrics({ register: registry, heaps });
    cache.free(cache.alloc(1000));
    cache.alloc(500);
    const rows = async (name: string) =>
      (await collected(registry))
        .get(name)
        ?.values.map(({ labels, value }) => [labels.heap, value]);
    expect(await rows('heap_bytes')).toEqual([['cache', 500]]);
    expect(await rows('heap_peak_bytes')).toEqual([['cache', 1000]]);
    expect(await rows('heap_limit_bytes')).toEqual([['cache', 5000]]);
    expect(await rows('heap_blocks')).toEqual([['cache', 1]]);
    expect(await rows('heap_allocated_total')).toEqual([['cache', 2]]);
    expect(await rows('heap_collected_total')).toEqual([['cache', 0]]);

    const [other, namesake] = [new Heap(), new Heap({ name: 'cache' })];
    heaps.add(other).add(namesake);
    namesake.alloc(20);
    expect(await rows('heap_bytes')).toEqual([
      ['cache', 520],
      ['', 0],
    ]);
    expect(await rows('heap_limit_bytes')).toEqual([['cache', 5000]]);
    cache.destroy();
    expect(await rows('heap_bytes')).toEqual([
      ['', 0],
      ['cache', 20],
    ]);
  });

  test('reports the pools that it is given', async () => {
    const registry = new Registry();
    const frames = new Pool({ name: 'frames', blockSize: 1000, max: 2 });
    collectMiheapMetrics({ register: registry, pools: [frames] });
    frames.acquire();
    frames.release(frames.acquire());
    const metrics = await collected(registry);
    const rows = [...metrics.values()].filter(({ name }) => name.startsWith('miheap_pool_'));
    expect(rows.map(({ name, values }) => [name, values[0]?.value])).toEqual([
      ['miheap_pool_bytes', 2000],
      ['miheap_pool_blocks', 2],
      ['miheap_pool_held_blocks', 1],
      ['miheap_pool_waiting', 0],
      ['miheap_pool_created_total', 2],
      ['miheap_pool_lost_total', 0],
    ]);
    expect(rows[0]?.values[0]?.labels).toEqual({ pool: 'frames' });
    frames.destroy();
    expect((await collected(registry)).get('pool_bytes')?.values).toEqual([]);
  });

  test('a counter that is asked twice does not count twice', async () => {
    const registry = new Registry();
    collectMiheapMetrics({ register: registry });
    new Heap().alloc(10_000_000);
    await registry.metrics();
    const total = (await collected(registry)).get('huge_blocks_total')?.values[0]?.value;
    expect(total).toBe(processStats().allocator.mallocHugeCount);
  });

  test('registers with prom-client itself, under a prefix', async () => {
    collectMiheapMetrics({ prefix: 'app:' });
    expect(await register.metrics()).toMatch(/^# HELP app:held_bytes .*\n.*\napp:held_bytes \d+\n/);
    register.clear();
  });

  test('the figures of one answer are of one moment', async () => {
    const registry = new Registry();
    collectMiheapMetrics({ register: registry });
    const held = registry.getSingleMetric('miheap_held_bytes') as Gauge;
    const huge = registry.getSingleMetric('miheap_huge_blocks_total') as Counter;
    const heap = new Heap();
    const first = held.get();
    heap.alloc(10_000_000);
    const second = huge.get();
    const before = [(await first).values[0]?.value, (await second).values[0]?.value] as number[];
    const after = [(await held.get()).values[0]?.value, (await huge.get()).values[0]?.value];
    expect(after).toEqual([(before[0] as number) + 10_000_000, (before[1] as number) + 1]);
    heap.destroy();
  });

  test('the preloaded library has a label of its own', () => {
    const env = { LD_PRELOAD: preloadLibrary() };
    const { labels, committed } = runProgram<{ labels: string[]; committed: boolean }>('metrics', {
      env,
    });
    expect(labels).toEqual(['buffers', 'malloc']);
    expect(committed).toBe(true);
  });
});

describe('mistakes', () => {
  const code = (options: unknown) =>
    codeOf(() => collectMiheapMetrics(options as Parameters<typeof collectMiheapMetrics>[0]));

  test.each([
    [null, 'ERR_INVALID_ARG_TYPE'],
    ['x', 'ERR_INVALID_ARG_TYPE'],
    [{ prefix: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ prefix: '5_' }, 'ERR_INVALID_ARG_VALUE'],
    [{ prefix: 'a-b' }, 'ERR_INVALID_ARG_VALUE'],
    [{ register: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ register: null }, 'ERR_INVALID_ARG_TYPE'],
    [{ heaps: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ heaps: null }, 'ERR_INVALID_ARG_TYPE'],
    [{ heaps: [{}] }, 'ERR_INVALID_ARG_TYPE'],
    [{ pools: [new Heap()] }, 'ERR_INVALID_ARG_TYPE'],
    [{ heaps: [new Proxy(new Heap(), {})] }, 'ERR_INVALID_ARG_TYPE'],
  ])('%j: %s', (options, expected) => {
    expect(code(options)).toBe(expected);
  });

  test('without options, none are taken from Object.prototype', () => {
    Object.assign(Object.prototype, { prefix: 5 });
    try {
      expect(codeOf(() => collectMiheapMetrics())).toBeUndefined();
    } finally {
      Reflect.deleteProperty(Object.prototype, 'prefix');
      register.clear();
    }
  });

  test('a heap of another copy of the package is called that', () => {
    const heaps = [new (class Heap {})()] as Heap[];
    expect(thrownBy(() => collectMiheapMetrics({ heaps }))?.message).toBe(
      '"heaps" must be made of heaps of this copy of miheap; got an instance of Heap',
    );
  });

  test('the same metrics twice in one registry', async () => {
    const registry = new Registry();
    expect(code({ register: registry })).toBeUndefined();
    const before = registry.getMetricsAsArray().length;
    expect(code({ register: registry })).toBe('ERR_INVALID_ARG_VALUE');
    expect(registry.getMetricsAsArray()).toHaveLength(before);
    expect(code({ register: registry, prefix: 'other_' })).toBeUndefined();
  });

  test.each(['huge_blocks_total', 'heap_bytes', 'pool_lost_total'])(
    'a registry that has %s already gets none of them',
    (name) => {
      const registry = new Registry();
      new Gauge({ name: `miheap_${name}`, help: name, registers: [registry] });
      const options = { register: registry, heaps: [], pools: [] };
      expect(code(options)).toBe('ERR_INVALID_ARG_VALUE');
      expect(registry.getMetricsAsArray()).toHaveLength(1);
    },
  );

  test('what can be gone through only once', () => {
    const heaps = new Set([new Heap()]);
    function* each() {
      yield* heaps;
    }
    for (const once of [heaps.values(), each()]) {
      const registry = new Registry();
      expect(code({ register: registry, heaps: once })).toBe('ERR_INVALID_ARG_TYPE');
      expect(registry.getMetricsAsArray()).toEqual([]);
    }
    const again = { [Symbol.iterator]: each };
    expect(code({ register: new Registry(), heaps: again })).toBeUndefined();
  });

  test.each([
    ['missing', 'prom-client cannot be loaded; to install it: npm install prom-client'],
    ['other', 'prom-client has no Counter, Gauge and register'],
  ])('prom-client is %s', (how, message) => {
    expect(runProgram('metrics', { args: [how] })).toEqual({
      code: 'ERR_MIHEAP_PEER_DEPENDENCY',
      name: 'PeerDependencyError',
      message,
    });
  });
});
