import { constants } from 'node:buffer';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Heap, processStats, Region, type RegionOptions } from '../../lib';
import { native, Status } from '../../lib/native';
import { detach } from './detach';
import { checkedEnvironment, codeOf, runProgram, thrownBy } from './support';

// biome-ignore lint/suspicious/noExplicitAny: misuse is what the types forbid
type Anything = any;

let regions: Region[] = [];
function region(options?: RegionOptions): Region {
  const made = new Region(options);
  regions.push(made);
  return made;
}
afterEach(() => {
  for (const made of regions) made.destroy();
  regions = [];
});

/** The most that a buffer inside of a chunk can be aligned to. */
const most = native.external ? 64 : 8;

/** Dirty memory for the allocator to hand out next. */
function dirty(size: number): void {
  const heap = new Heap();
  for (let i = 0; i < 20; i++) heap.alloc(size).fill(0xff);
  heap.destroy();
}

describe('alloc', () => {
  test('gives Buffers like any other', () => {
    const buffer = region().alloc(10);
    expect(Buffer.isBuffer(buffer)).toBe(true);
    expect(Object.getPrototypeOf(buffer)).toBe(Buffer.prototype);
    expect(buffer).toEqual(Buffer.alloc(10));
    expect(buffer.write('text')).toBe(4);
    expect(buffer.toString('latin1', 0, 4)).toBe('text');
  });

  test.each([1000, 65536, 262_144])('memory is zero, in chunks of %i bytes', (chunkSize) => {
    dirty(chunkSize);
    const buffers = region({ chunkSize });
    for (let round = 0; round < 3; round++) {
      for (let i = 1; i < 60; i++) {
        const size = (i * 977) % ((chunkSize * 1.1) | 0) || 1;
        const buffer = buffers.alloc(size, i % 5 === 0 ? most : undefined);
        expect(buffer.equals(Buffer.alloc(size))).toBe(true);
        buffer.fill(0xff);
      }
      buffers.reset();
    }
  });

  test('keeps buffers apart, whatever their sizes', () => {
    const buffers = region({ chunkSize: 5000 });
    const all = Array.from({ length: 2000 }, (_, i) => {
      const size = (i * 7919) % (i % 50 === 0 ? 20_000 : 700);
      const buffer =
        i % 7 === 0
          ? buffers.alloc(size, 2 ** (i % (native.external ? 8 : 4)))
          : buffers.alloc(size);
      return buffer.fill(i % 251);
    });
    for (const [i, buffer] of all.entries()) {
      expect(buffer.equals(Buffer.alloc(buffer.length, i % 251))).toBe(true);
    }
  });

  test('of 0 bytes takes no memory', () => {
    const buffers = region();
    expect(buffers.alloc(0).length).toBe(0);
    expect(buffers.allocTyped(Float64Array, 0).length).toBe(0);
    expect(buffers.stats()).toEqual({ bytes: 0, used: 0, chunks: 0 });
  });

  test('a buffer larger than a chunk gets a chunk of its own', () => {
    const buffers = region({ chunkSize: 1000 });
    const small = buffers.alloc(10);
    const large = buffers.alloc(5001);
    expect(large.buffer.byteLength).toBe(5001);
    expect(buffers.alloc(10).buffer).toBe(small.buffer);
    expect(buffers.stats()).toEqual({ bytes: 6001, used: 16 + 5008 + 16, chunks: 2 });
  });

  test('no more is used than there is, where the last buffer ends with its chunk', () => {
    for (const options of [{ chunkSize: 4096 }, { limit: 10_001 }]) {
      const buffers = region(options);
      buffers.alloc(10_001);
      expect(buffers.stats()).toEqual({ bytes: 10_001, used: 10_001, chunks: 1 });
    }
  });

  test('the chunk with more room is the one to go on with', () => {
    const buffers = region({ chunkSize: 1000 });
    const first = buffers.alloc(600);
    const second = buffers.alloc(900); // leaves less than the first has
    expect(second.buffer).not.toBe(first.buffer);
    expect(buffers.alloc(300).buffer).toBe(first.buffer);
    const third = buffers.alloc(500); // leaves more
    expect(buffers.alloc(300).buffer).toBe(third.buffer);
  });

  test('aligns inside a chunk, and beyond', () => {
    const buffers = region();
    buffers.alloc(1);
    for (let align = 1; align <= most; align *= 2) {
      buffers.alloc(3);
      const buffer = buffers.alloc(100, align);
      expect(buffer.byteOffset % Math.max(align, 8)).toBe(0);
    }
    expect(buffers.stats().chunks).toBe(1);
    if (native.external) {
      expect(buffers.alloc(100, 4096).byteOffset).toBe(0);
      expect(buffers.stats().chunks).toBe(2);
    }
  });
});

describe('allocTyped', () => {
  test('goes by the elements of a derived class, not by what it says of them', () => {
    class TypedArray extends Float64Array {
      static override readonly BYTES_PER_ELEMENT = 1;
    }
    class Told extends TypedArray {}
    const buffers = region();
    const told = buffers.allocTyped(Told, 8);
    buffers.alloc(64).fill(0xff);
    expect([told.byteLength, Array.from(told)]).toEqual([64, Array(8).fill(0)]);
    expect(buffers.stats().used).toBe(128);
  });

  test.each([Uint8Array, Int16Array, Float32Array, Float64Array, BigInt64Array])('%p', (type) => {
    const buffers = region();
    buffers.alloc(3);
    const array = buffers.allocTyped(type as typeof Uint8Array, 100);
    expect(array).toBeInstanceOf(type);
    expect([array.length, array.byteLength]).toEqual([100, 100 * type.BYTES_PER_ELEMENT]);
    expect(Buffer.from(array.buffer, array.byteOffset, array.byteLength)).toEqual(
      Buffer.alloc(array.byteLength),
    );
  });
});

describe('misuse', () => {
  const trap = { valueOf: () => 8 };
  const notNumbers = [undefined, null, '10', 10n, {}, [], true, Symbol('10'), trap];
  const badSizes = [-1, Number.NaN, 1.5, Number.POSITIVE_INFINITY, constants.MAX_LENGTH + 1, -0.5];

  test('of sizes, alignments and types', () => {
    const buffers: Anything = region();
    buffers.alloc(8);
    const before = buffers.stats();
    for (const value of notNumbers) {
      expect(codeOf(() => buffers.alloc(value))).toBe('ERR_INVALID_ARG_TYPE');
      expect(codeOf(() => buffers.allocTyped(Uint8Array, value))).toBe('ERR_INVALID_ARG_TYPE');
      if (value === undefined) continue;
      expect(codeOf(() => buffers.alloc(8, value))).toBe('ERR_INVALID_ARG_TYPE');
    }
    for (const value of badSizes) {
      expect(codeOf(() => buffers.alloc(value))).toBe('ERR_OUT_OF_RANGE');
      expect(codeOf(() => buffers.allocTyped(Uint16Array, value))).toBe('ERR_OUT_OF_RANGE');
    }
    for (const align of [0, -8, 2 ** 31, 1.5, Number.NaN]) {
      expect(codeOf(() => buffers.alloc(8, align))).toBe('ERR_OUT_OF_RANGE');
    }
    expect(codeOf(() => buffers.alloc(8, 24))).toBe('ERR_INVALID_ARG_VALUE');
    for (const type of [Buffer, DataView, {}, null, () => 8]) {
      expect(codeOf(() => buffers.allocTyped(type, 1))).toBe('ERR_INVALID_ARG_TYPE');
    }
    expect(codeOf(() => buffers.allocTyped(Float64Array, constants.MAX_LENGTH))).toBe(
      'ERR_OUT_OF_RANGE',
    );
    expect(buffers.stats()).toEqual(before);
  });

  test('of options', () => {
    const types: Anything[] = [
      null,
      5,
      { chunkSize: '1' },
      { limit: null },
      { name: 5 },
      { heap: {} },
      { heap: null },
      { heap: Object.create(Heap.prototype) },
      { heap: new Proxy(new Heap(), {}) },
    ];
    for (const options of types) {
      expect(codeOf(() => new Region(options))).toBe('ERR_INVALID_ARG_TYPE');
    }
    const foreign: Anything = new (class Heap {})(); // as of another copy of the package
    expect(thrownBy(() => new Region({ heap: foreign }))?.message).toBe(
      '"heap" must be a Heap of this copy of miheap; got an instance of Heap',
    );
    for (const chunkSize of [0, -1, 1.5, Number.NaN, 2 ** 30 + 1]) {
      expect(codeOf(() => new Region({ chunkSize }))).toBe('ERR_OUT_OF_RANGE');
    }
    for (const limit of [-1, 1.5, Number.NaN]) {
      expect(codeOf(() => new Region({ limit }))).toBe('ERR_OUT_OF_RANGE');
    }
    const heap = new Heap();
    heap.destroy();
    expect(codeOf(() => new Region({ heap }))).toBe('ERR_MIHEAP_DESTROYED');
  });

  test('after destroy', () => {
    const buffers = new Region({ name: 'gone' });
    const mark = buffers.mark();
    buffers.destroy();
    buffers.destroy();
    expect(buffers.destroyed).toBe(true);
    const actions = [
      () => buffers.alloc(8),
      () => buffers.alloc(0),
      () => buffers.allocTyped(Uint8Array, 8),
      () => buffers.allocTyped(Uint8Array, 0),
      () => buffers.mark(),
      () => buffers.rewind(mark),
      () => buffers.reset(),
      () => buffers.stats(),
    ];
    for (const action of actions) {
      const error = thrownBy(action);
      expect(error?.code).toBe('ERR_MIHEAP_DESTROYED');
      expect(error?.message).toContain('region "gone"');
    }
  });

  test('no memory changes nothing', () => {
    const buffers = region({ chunkSize: 100 });
    buffers.alloc(80);
    const before = buffers.stats();
    const { allocate } = native;
    native.allocate = () => Status.NoMemory;
    try {
      expect(codeOf(() => buffers.alloc(80))).toBe('ERR_MIHEAP_OUT_OF_MEMORY');
      expect(codeOf(() => buffers.alloc(800))).toBe('ERR_MIHEAP_OUT_OF_MEMORY');
    } finally {
      native.allocate = allocate;
    }
    expect(buffers.stats()).toEqual(before);
    expect(buffers.alloc(16).length).toBe(16);
  });
});

describe('limits', () => {
  test('of the region', () => {
    const buffers = region({ chunkSize: 1000, limit: 2500, name: 'small' });
    const messages: unknown[] = [];
    const onLimit = (message: unknown) => messages.push(message);
    subscribe('miheap:limit', onLimit);
    for (let i = 0; i < 5; i++) buffers.alloc(496);
    expect(buffers.stats().bytes).toBe(2500);
    const error = thrownBy(() => buffers.alloc(16)) as Anything;
    unsubscribe('miheap:limit', onLimit);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({
      code: 'ERR_MIHEAP_LIMIT',
      regionName: 'small',
      limit: 2500,
      requested: 16,
      bytes: 2500,
    });
    const { name, limit, requested } = messages[0] as Anything;
    expect([messages.length, name, limit, requested]).toEqual([1, 'small', 2500, 16]);
    expect(codeOf(() => buffers.alloc(3000))).toBe('ERR_MIHEAP_LIMIT');
    buffers.reset();
    expect(buffers.alloc(2500).length).toBe(2500);
  });

  test('of the heap that it takes its chunks from', () => {
    const heap = new Heap({ limit: 3000 });
    const one = region({ heap, chunkSize: 1000 });
    const two = region({ heap, chunkSize: 1000 });
    for (const buffers of [one, two, one]) buffers.alloc(900);
    expect(heap.stats().bytes).toBe(3000);
    expect(codeOf(() => two.alloc(900))).toBe('ERR_MIHEAP_LIMIT');
    one.destroy();
    expect(heap.stats().bytes).toBe(1000);
    two.alloc(900);
    heap.destroy();
    expect(codeOf(() => two.alloc(900))).toBe('ERR_MIHEAP_DESTROYED');
    expect(two.stats().chunks).toBe(2);
    two.reset();
    expect(two.stats()).toEqual({ bytes: 0, used: 0, chunks: 0 });
  });
});

describe('reset and destroy', () => {
  test.each(['reset', 'destroy', Symbol.dispose] as const)('%p detaches all views', (how) => {
    const before = processStats();
    const buffers = new Region({ chunkSize: 1000 });
    const views = [10, 500, 800, 5000].flatMap((size) => {
      const buffer = buffers.alloc(size).fill(1);
      return [buffer, buffer.subarray(1), new Uint8Array(buffer.buffer)];
    });
    const typed = buffers.allocTyped(Float64Array, 10);
    buffers[how]();
    expect(views.map((view) => view.length)).toEqual(views.map(() => 0));
    expect(typed.length).toBe(0);
    const { heldBytes, heldBlocks } = processStats();
    expect([heldBytes, heldBlocks]).toEqual([before.heldBytes, before.heldBlocks]);
    expect(buffers.destroyed).toBe(how !== 'reset');
    buffers.destroy();
  });

  test('a region is used again after a reset', () => {
    const buffers = region();
    for (let i = 0; i < 100; i++) {
      const buffer = buffers.alloc(i * 100 + 1);
      expect(buffer.every((byte) => byte === 0)).toBe(true);
      buffer.fill(i);
      buffers.reset();
      expect(buffer.length).toBe(0);
    }
  });
});

describe('marks', () => {
  test('rewind frees and detaches what came after, and nothing else', () => {
    const before = processStats().heldBlocks;
    const buffers = region({ chunkSize: 1000 });
    const kept = buffers.alloc(100).fill(1);
    const stats = buffers.stats();
    const mark = buffers.mark();
    for (let round = 0; round < 3; round++) {
      const after = [100, 950, 3000, 10].map((size) => buffers.alloc(size).fill(2));
      for (const buffer of after) expect(buffer.buffer).not.toBe(kept.buffer);
      buffers.rewind(mark);
      expect(after.map((buffer) => buffer.length)).toEqual([0, 0, 0, 0]);
      expect(kept.every((byte) => byte === 1)).toBe(true);
      expect(buffers.stats()).toEqual(stats);
      expect(processStats().heldBlocks).toBe(before + 1);
    }
  });

  test('of an empty region', () => {
    const buffers = region();
    const mark = buffers.mark();
    const buffer = buffers.alloc(10);
    buffers.rewind(mark);
    expect(buffer.length).toBe(0);
    expect(buffers.stats()).toEqual({ bytes: 0, used: 0, chunks: 0 });
    buffers.rewind(mark);
    buffers.reset();
    expect(codeOf(() => buffers.rewind(mark))).toBe('ERR_MIHEAP_STALE_MARK');
  });

  test('nest, and are stale once an outer one was rewound to', () => {
    const buffers = region();
    const outer = buffers.mark();
    const one = buffers.alloc(10);
    const inner = buffers.mark();
    const two = buffers.alloc(10);
    buffers.rewind(inner);
    expect([one.length, two.length]).toEqual([10, 0]);
    buffers.alloc(10);
    buffers.rewind(outer);
    expect(one.length).toBe(0);
    expect(codeOf(() => buffers.rewind(inner))).toBe('ERR_MIHEAP_STALE_MARK');
    const next = buffers.alloc(10);
    buffers.alloc(300_000);
    expect(codeOf(() => buffers.rewind(inner))).toBe('ERR_MIHEAP_STALE_MARK');
    expect(next.length).toBe(10);
    buffers.rewind(outer);
    expect(next.length).toBe(0);
  });

  test('are of one region', () => {
    const one = region({ name: 'one' });
    const two = region();
    const buffer = one.alloc(10);
    expect(codeOf(() => one.rewind(two.mark()))).toBe('ERR_MIHEAP_NOT_OWNED');
    for (const value of [undefined, null, {}, 5, Object.create(one.mark())]) {
      expect(codeOf(() => one.rewind(value as Anything))).toBe('ERR_INVALID_ARG_TYPE');
    }
    const mark = one.mark();
    one.reset();
    one.alloc(10);
    const error = thrownBy(() => one.rewind(mark));
    expect(error?.code).toBe('ERR_MIHEAP_STALE_MARK');
    expect(error?.message).toContain('region "one"');
    expect(buffer.length).toBe(0);
  });

  test('any number of them costs no chunk while nothing is allocated', () => {
    const buffers = region();
    for (let i = 0; i < 1000; i++) buffers.mark();
    buffers.alloc(10);
    for (let i = 0; i < 1000; i++) buffers.mark();
    expect(buffers.stats().chunks).toBe(1);
  });
});

describe('a chunk that was moved away', () => {
  test.each(Object.entries(detach))('by %s is replaced', (_name, detachBy) => {
    const before = processStats().heldBlocks;
    const buffers = new Region();
    const lost = buffers.alloc(100);
    const neighbour = buffers.alloc(100);
    const mark = buffers.mark();
    const later = buffers.alloc(100);
    detachBy(later.buffer as ArrayBuffer);
    expect(buffers.alloc(100).every((byte) => byte === 0)).toBe(true);
    const moved = detachBy(lost.buffer as ArrayBuffer);
    expect([lost.length, neighbour.length, later.length]).toEqual([0, 0, 0]);
    expect(buffers.alloc(100, most).every((byte) => byte === 0)).toBe(true);
    expect(buffers.allocTyped(Float64Array, 20).length).toBe(20);
    buffers.rewind(mark);
    buffers.destroy();
    if (moved) new Uint8Array(moved).fill(1);
    expect(processStats().heldBlocks).toBeLessThanOrEqual(before + 2);
  });
});

test('a chunk that was freed through its heap is replaced', () => {
  const heap = new Heap();
  const buffers = region({ heap });
  const lost = buffers.alloc(100);
  heap.free(lost);
  expect(buffers.alloc(100).length).toBe(100);
  buffers.reset();
  expect(heap.stats().blocks).toBe(0);
  heap.destroy();
});

describe('re-entrancy', () => {
  test('one who hears of a limit may destroy the region', () => {
    const buffers = new Region({ limit: 100, chunkSize: 100 });
    const onLimit = () => buffers.destroy();
    subscribe('miheap:limit', onLimit);
    buffers.alloc(100);
    expect(codeOf(() => buffers.alloc(100))).toBe('ERR_MIHEAP_LIMIT');
    unsubscribe('miheap:limit', onLimit);
    expect(buffers.destroyed).toBe(true);
  });

  test('a class that says it is a typed array gets no more than its bytes', () => {
    const buffers = new Region();
    class TypedArray {}
    class Trap extends TypedArray {
      static get BYTES_PER_ELEMENT() {
        buffers.destroy();
        return 8;
      }
    }
    expect(codeOf(() => buffers.allocTyped(Trap as Anything, 10))).toBe('ERR_MIHEAP_DESTROYED');
  });
});

describe('in a process of its own', () => {
  test.each(['1', '0'])('what is dropped comes back (external buffers: %s)', (external) => {
    const env = { ...checkedEnvironment(), MIHEAP_EXTERNAL_BUFFERS: external };
    const result = runProgram('region-dropped', { flags: ['--expose-gc'], env });
    expect(result).toEqual({
      external: external === '1',
      keptLength: 100,
      heldAfterDrop: 1,
      heldAfterUse: 0,
      heldAfterWorkers: 0,
    });
  });

  const seed = String(Math.floor(Math.random() * 1e9));
  test(`random operations leave nothing (seed ${seed})`, () => {
    const result = runProgram('region-storm', { args: [seed], env: checkedEnvironment() });
    expect(result).toEqual({ heldBytes: 0, heldBlocks: 0 });
  });
});
