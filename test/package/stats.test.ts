import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Heap, processStats } from '../../lib';
import { root } from '../js/support';

interface Row {
  name: string;
  type: string;
  doc: string;
}

function read(...path: string[]): string {
  return readFileSync(join(root, ...path), 'utf8');
}

/** Rows of MI_STATS in miheap.h, as TypeScript should declare them. */
function counted(): Row[] {
  const table = read('native', 'include', 'miheap.h').replace(/\\\n/g, ' ');
  const row = /\b(?:THREAD_)?(LEVEL|EVENTS)\((\w+), *(BYTES|COUNT), *"([^"]*)"\)/g;
  return [...table.matchAll(row)].map(([, kind, name = '', unit, doc = '']) => ({
    name: name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
    type: kind === 'LEVEL' ? 'Level' : 'number',
    doc: unit === 'BYTES' ? `${doc} (bytes)` : doc,
  }));
}

/** Members of AllocatorStats. */
function declared(): Row[] {
  const source = read('lib', 'process-stats.ts');
  const body = source.split('export interface AllocatorStats {')[1]?.split('\n}')[0] ?? '';
  const member = /\/\*\* (.*) \*\/\s*(\w+): (\w+);/g;
  return [...body.matchAll(member)].map(([, doc = '', name = '', type = '']) => ({
    name,
    type,
    doc,
  }));
}

test('AllocatorStats declares the rows of miheap.h', () => {
  expect(counted().length).toBeGreaterThan(15);
  expect(declared()).toEqual(counted());
});

test('processStats returns them', () => {
  const heap = new Heap();
  const buffer = heap.alloc(10_000_000);
  const { allocator } = processStats();
  const found = Object.entries(allocator).map(([name, value]) => [name, typeof value]);
  expect(found).toEqual(
    counted().map(({ name, type }) => [name, type === 'Level' ? 'object' : 'number']),
  );
  for (const value of Object.values(allocator)) {
    if (typeof value === 'number') expect(value).toBeGreaterThanOrEqual(0);
    else expect(Object.keys(value)).toEqual(['total', 'peak', 'current']);
  }
  expect(allocator.mallocHuge.current).toBeGreaterThanOrEqual(10_000_000);
  expect(allocator.mallocHuge.peak).toBeGreaterThanOrEqual(allocator.mallocHuge.current);
  heap.free(buffer);
  heap.destroy();
});
