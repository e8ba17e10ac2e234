// ARCHITECTURE.md lists every way in which the life of a block ends; these tests go through them. All
// run on a core that stops the process when a block is freed twice.
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import {
  checkedEnvironment,
  external,
  type ProgramOptions,
  root,
  runProgram as runOn,
} from './support';

const env = checkedEnvironment();
const runProgram = <T>(name: string, options: ProgramOptions = {}) =>
  runOn<T>(name, { ...options, env });

test('the core stops the process when a block is freed twice', () => {
  const { status, signal, stderr } = spawnSync(
    process.execPath,
    ['-e', "require('node-gyp-build')('.').freeTwice()"],
    { cwd: root, encoding: 'utf8', env: { ...process.env, ...env } },
  );
  expect([status, signal]).toEqual([null, 'SIGABRT']);
  expect(stderr).toMatch(/free/);
});

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
    if (external) expect(result.peakGrowth).toBeGreaterThan((COUNT * SIZE) / 2);
    expect(result.rssGrowth).toBeLessThan((COUNT * SIZE) / 5);
  });
});

test('every order of free, collection, transfer, tokens and destroy leaves nothing', () => {
  const rows = runProgram<Record<string, number[]>>('orders', withGc);
  expect(Object.keys(rows).length).toBe('transfer' in ArrayBuffer.prototype ? 32 : 24);
  for (const [order, held] of Object.entries(rows)) expect([order, held]).toEqual([order, [0, 0]]);
});

test('blocks that go from thread to thread, and threads that end meanwhile, leave nothing', () => {
  const rows = runProgram<Record<string, number[]>>('offered', withGc);
  expect(Object.keys(rows).length).toBe(9);
  for (const [order, held] of Object.entries(rows)) expect([order, held]).toEqual([order, [0, 0]]);
});

describe('random operations', () => {
  const seed = String(Math.floor(Math.random() * 1e9));
  const nothing = { heldBytes: 0, heldBlocks: 0 };

  test(`on some heaps leave nothing (seed ${seed})`, () => {
    const args = [seed, '6000'];
    expect(runProgram('storm', { ...withGc, args })).toEqual(nothing);
  });

  test(`of threads that end at any moment leave nothing (seed ${seed})`, () => {
    const args = [seed, '1500'];
    expect(runProgram('worker-storm', { ...withGc, args })).toMatchObject(nothing);
  });
});

test('what the program has in its asynchronous context is not kept alive', () => {
  expect(runProgram('context', withGc)).toEqual({ loading: true, freeing: true });
});

test('nothing is left open that keeps a process alive', () => {
  expect(runProgram('open')).toEqual([]);
});

const knowsImmutable = Number.parseInt(process.versions.node, 10) >= 26; // behind a flag of V8

(knowsImmutable ? test : test.skip)('an immutable buffer is refused, and stays', () => {
  const flags = ['--js-immutable-arraybuffer'];
  type Found = { codes: string[]; sizes: number[] };
  const { codes, sizes } = runProgram<Found>('immutable', { flags });
  expect(codes).toEqual(Array(4).fill('ERR_INVALID_ARG_VALUE'));
  expect(sizes).toEqual([100, 2 ** 21]);
});

test('an async hook that uses a heap that is being destroyed, or destroys one in use, does no harm', () => {
  const offered = 'ERR_MIHEAP_DESTROYED';
  const found = Array(4).fill(offered);
  expect(runProgram('hooked')).toEqual({ destroyed: true, found, offered });
});

if (external) {
  describe('resident memory falls after a peak, in a program that then does nothing', () => {
    const ends = [
      'free',
      'scattered',
      'realloc',
      'mocked',
      'reloadedMeanwhile',
      'collector',
      'destroy',
      'release',
      'sleeper',
      'reloaded',
      'worker',
    ];
    test.each(ends)('by %s', (how) => {
      const { before, at, after } = runProgram<Record<'before' | 'at' | 'after', number>>('idle', {
        ...withGc,
        args: [how],
      });
      expect(at - before).toBeGreaterThan(80_000_000);
      expect(after - before).toBeLessThan((at - before) / 2);
    });
  });

  test('memory goes back in parts, between which the program has its turn', () => {
    const { returned, turns } = runProgram<Record<'returned' | 'turns', number>>('parts');
    expect(returned).toBeGreaterThan(200);
    expect(turns).toBeGreaterThan(4);
  });

  test('memory goes back though the program is never idle', () => {
    const { returned } = runProgram<Record<'returned', number>>('parts', { args: ['busy'] });
    expect(returned).toBeGreaterThan(200);
  });

  test.each(['destroy', 'drop'])('so does that of many heaps with little in them: %s', (how) => {
    const flags = ['--expose-gc'];
    const { peak, left } = runProgram<Record<'peak' | 'left', number>>('empty-heaps', {
      args: [how],
      flags,
    });
    expect(peak).toBeGreaterThan(20_000_000);
    expect(left).toBeLessThanOrEqual(peak / 10);
  });

  test('what is free between blocks that live on goes back though the program is never idle', () => {
    const { returned } = runProgram<Record<'returned', number>>('parts', { args: ['scattered'] });
    expect(returned).toBeGreaterThan(80);
  });
}
