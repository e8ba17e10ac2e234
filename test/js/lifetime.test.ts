import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { runProgram } from './support';

const COUNT = 10_000;
const SIZE = 16 * 1024;
const withGc = { flags: ['--expose-gc'] };

describe.each(['never-freed', 'free-first'])('%s', (how) => {
  test('10,000 buffers come back once collected, and are freed once', () => {
    const result = runProgram<Record<string, number>>('collected', { ...withGc, args: [how] });
    expect(result).toMatchObject({
      peakBytes: COUNT * SIZE,
      peakBlocks: COUNT,
      heldBytes: 0,
      heldBlocks: 0,
      bytes: 0,
      blocks: 0,
      allocated: 2 * COUNT,
      collected: how === 'never-freed' ? 2 * COUNT : 0,
    });
    expect(result.peakGrowth).toBeGreaterThan((COUNT * SIZE) / 2);
    expect(result.rssGrowth).toBeLessThan((COUNT * SIZE) / 5);
  });
});

test('every order of free, collection, transfer and destroy leaves nothing', () => {
  const rows = runProgram<Record<string, number[]>>('orders', withGc);
  expect(Object.keys(rows).length).toBe('transfer' in ArrayBuffer.prototype ? 15 : 9);
  for (const [order, held] of Object.entries(rows)) expect([order, held]).toEqual([order, [0, 0]]);
});

describe('workers', () => {
  test('the addon may be loaded only in workers that then end', () => {
    expect(runProgram('worker-only')).toEqual({
      ends: Array.from({ length: 6 }, () => [0, 500]),
      heldBytes: 0,
      heldBlocks: 0,
    });
  });

  test('a worker may be terminated with live buffers at any moment', () => {
    const result = runProgram<{ heldMeanwhile: number }>('worker-terminated');
    expect(result).toMatchObject({
      codes: Array.from({ length: 12 }, () => 1),
      untouched: true,
      heldBytes: 0,
      heldBlocks: 0,
    });
    expect(result.heldMeanwhile).toBeGreaterThan(100_000);
  });
});

const steps = ['made', 'allocated', 'freed', 'reallocated', 'collected', 'destroyed', 'end'];

describe.each(['process', 'worker'])('a %s may end', (where) => {
  test.each(steps)('when the heap is %s', (step) => {
    const program = join(__dirname, 'programs', 'exit-at.js');
    const { status, stderr } = spawnSync(process.execPath, ['--expose-gc', program, step, where], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([7, '']);
  });
});

describe('resident memory falls after a peak, in a program that then does nothing', () => {
  test.each(['free', 'collector'])('by %s', (how) => {
    const { before, at, after } = runProgram<Record<'before' | 'at' | 'after', number>>('idle', {
      ...withGc,
      args: [how],
    });
    expect(at - before).toBeGreaterThan(80_000_000);
    expect(after - before).toBeLessThan((at - before) / 2);
  });
});
