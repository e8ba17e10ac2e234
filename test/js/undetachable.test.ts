import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Heap, Pool, processStats, Region } from '../../lib';
import { HEAP_SIZE, pin } from './asm';
import { codeOf, external, runProgram, thrownBy } from './support';

/** Whether `buffer` still has its memory to itself: nobody who allocates gets any of it. */
function isAlone(buffer: Buffer): boolean {
  const bytes = buffer.length;
  buffer.fill(7);
  const heap = new Heap();
  for (let i = 0; i < 20; i++) heap.alloc(bytes).fill(9);
  const alone = bytes > 0 && buffer.every((byte) => byte === 7);
  heap.destroy();
  return alone;
}

describe('the heap of an asm.js module', () => {
  let heap: Heap;
  let pinned: Buffer;
  beforeEach(() => {
    heap = new Heap();
    pinned = pin(heap.alloc(HEAP_SIZE));
  });
  afterEach(() => heap.destroy());

  test.each<[string, () => unknown]>([
    ['free', () => heap.free(pinned)],
    ['realloc to less', () => heap.realloc(pinned, 10)],
    ['realloc to nothing', () => heap.realloc(pinned, 0)],
    ['realloc to the same', () => heap.realloc(pinned, HEAP_SIZE)],
    ['realloc to more', () => heap.realloc(pinned, 3 * HEAP_SIZE)],
    ['transfer', () => heap.transfer(pinned)],
  ])('%s refuses it, and nothing changes', (_name, action) => {
    const before = [heap.stats(), processStats().heldBytes, processStats().heldBlocks];
    const error = thrownBy(action);
    expect(error?.code).toBe('ERR_INVALID_ARG_VALUE');
    expect(error?.message).toMatch(/^"buffer" must be a buffer that can be detached/);
    const { peakBytes } = heap.stats();
    expect([heap.stats(), processStats().heldBytes, processStats().heldBlocks]).toEqual(before);
    expect(peakBytes).toBe(HEAP_SIZE);
    expect(heap.owns(pinned)).toBe(true);
    expect(isAlone(pinned)).toBe(true);
  });

  test('realloc of what is shared refuses it', () => {
    const token = heap.share(pinned);
    const other = external ? heap.adopt(token) : undefined;
    expect(codeOf(() => heap.realloc(pinned, 10))).toBe('ERR_INVALID_ARG_VALUE');
    expect(heap.owns(pinned)).toBe(true);
    expect(isAlone(pinned)).toBe(true);
    if (other) heap.free(other);
    token.release();
  });

  test('the transfer of its ArrayBuffer is refused by V8', () => {
    const memory = pinned.buffer as ArrayBuffer & { transfer?(): ArrayBuffer };
    if (memory.transfer === undefined) return;
    expect(thrownBy(() => memory.transfer?.())?.name).toBe('TypeError');
    expect(heap.owns(pinned)).toBe(true);
  });

  test('stays as it is when its heap is destroyed, while the others go', () => {
    const before = processStats().heldBlocks;
    const others = [heap.alloc(100), heap.alloc(100)];
    heap.destroy();
    expect(others.map((buffer) => buffer.length)).toEqual([0, 0]);
    expect(processStats().heldBlocks).toBe(before);
    expect(isAlone(pinned)).toBe(true);
  });

  test.each(['reset', 'destroy', 'rewind'] as const)('%s of a region leaves it alone', (how) => {
    const region = new Region({ chunkSize: HEAP_SIZE, heap });
    const mark = region.mark();
    const first = region.alloc(HEAP_SIZE);
    const kept = pin(region.alloc(HEAP_SIZE));
    const last = region.alloc(HEAP_SIZE);
    if (how === 'rewind') region.rewind(mark);
    else region[how]();
    expect([first.length, kept.length, last.length]).toEqual([0, HEAP_SIZE, 0]);
    expect(heap.stats().blocks).toBe(2); // with `pinned`
    if (how !== 'destroy') {
      expect(region.stats()).toEqual({ bytes: 0, used: 0, chunks: 0 });
      region.alloc(HEAP_SIZE).fill(9);
    }
    expect(isAlone(kept)).toBe(true);
    region.destroy();
  });

  test('a region whose heap was destroyed can be reset', () => {
    const own = new Heap();
    const region = new Region({ chunkSize: HEAP_SIZE, heap: own });
    pin(region.alloc(HEAP_SIZE));
    own.destroy();
    region.reset();
    expect(region.stats()).toEqual({ bytes: 0, used: 0, chunks: 0 });
  });

  test('destroy of a pool leaves it alone', () => {
    const pool = new Pool({ blockSize: HEAP_SIZE, prefill: 1 });
    const held = pin(pool.acquire());
    const [other, free] = [pool.acquire(), pin(pool.acquire())];
    pool.release(free);
    pool.destroy();
    expect([held.length, other.length, free.length]).toEqual([HEAP_SIZE, 0, HEAP_SIZE]);
    expect([isAlone(held), isAlone(free)]).toEqual([true, true]);
  });

  test('a pool gives it up if it was written to after its release', () => {
    const pool = new Pool({ blockSize: HEAP_SIZE, poison: true });
    const block = pin(pool.acquire());
    pool.release(block);
    block[3] = 1;
    expect(codeOf(() => pool.acquire())).toBe('ERR_MIHEAP_WRITE_AFTER_RELEASE');
    expect(pool.stats()).toMatchObject({ blocks: 0, lost: 1 });
    expect(pool.acquire()).not.toBe(block);
    expect(isAlone(block)).toBe(true);
    pool.destroy();
  });
});

test('realloc of a large one to more ends the process, before anybody can use what has moved', () => {
  const file = join(__dirname, 'programs', 'undetachable-grow.js');
  const { signal, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  if (external) {
    expect(signal).toBe('SIGABRT');
    expect(stderr).toContain('realloc of a buffer that cannot be detached');
  } else {
    expect(stdout).toBe(`ERR_INVALID_ARG_VALUE ${4 << 20}\n`);
  }
});

test('what could not be detached comes back by the garbage collector', () => {
  const result = runProgram('undetachable', { flags: ['--expose-gc'] });
  expect(result).toEqual({ heldBefore: 4, heldAfter: 0 });
});
