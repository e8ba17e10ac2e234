// Threads and processes that end, at any step of a heap's life, beside what lifetime.test.ts goes through: nothing is
// lost, and nobody is stopped.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { checkedEnvironment, external, runProgram as runOn } from './support';

const env = checkedEnvironment();
const runProgram = <T>(name: string) => runOn<T>(name, { env });

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

test('a worker may be terminated while a call clears or copies memory', () => {
  expect(runProgram('native-call')).toEqual({
    codes: Array.from({ length: 9 }, () => 1),
    heldBytes: 0,
    heldBlocks: 0,
  });
});

const steps = [
  ['made', 7],
  ['allocated', 7],
  ['freed', 7],
  ['reallocated', 7],
  ['offered', 7],
  ['adopted', 7],
  ['collected', 7],
  ['finalised', 7],
  ['thrown', 1],
  ['destroyed', 7],
  ['end', 7],
] as const;

test('memory that was moved out of sight outlives the worker', () => {
  const arrived = 'transfer' in ArrayBuffer.prototype ? 3 * (8 * 40 + 32) : 2 * (6 * 40 + 32);
  expect(runOn('moved', { env, flags: ['--expose-gc'] })).toEqual({
    arrived,
    changed: 0,
    disturbed: 0,
    held: external ? arrived * 5000 : 0,
    littered: 0,
  });
});

test('a worker that emits exit by hand goes on', () => {
  expect(runOn('emitted', { env, flags: ['--expose-gc'] })).toEqual({ held: 0 });
});

describe.each(['process', 'worker'])('a %s may end', (where) => {
  test.each(steps)('when the heap is %s', (step, code) => {
    const program = join(__dirname, 'programs', 'exit-at.js');
    const { status, stderr } = spawnSync(process.execPath, ['--expose-gc', program, step, where], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    expect(status).toBe(code);
    if (step === 'thrown' && where === 'process') expect(stderr).toMatch(/Error: not caught\n/);
    else expect(stderr).toBe('');
  });
});
