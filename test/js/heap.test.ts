import { constants } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Heap, processStats, Region } from '../../lib';
import { native, Status } from '../../lib/native';
import { bytesOf } from '../../lib/validate';
import { codeOf, external, runProgram } from './support';

let heap: Heap;
beforeEach(() => {
  heap = new Heap();
});
afterEach(() => heap.destroy());

describe('alloc', () => {
  test('gives a writable Buffer over an ArrayBuffer of its own', () => {
    const buffer = heap.alloc(1000);
    expect(Buffer.isBuffer(buffer)).toBe(true);
    expect([buffer.length, buffer.byteOffset, buffer.buffer.byteLength]).toEqual([1000, 0, 1000]);
    buffer.fill(0xab);
    expect(buffer.every((byte) => byte === 0xab)).toBe(true);
  });

  test('clears memory that was used before', () => {
    for (const size of [24, 1000, 40_000, 300_000, 5_000_000]) {
      heap.free(heap.alloc(size).fill(0xff));
      const again = heap.alloc(size);
      expect(again.every((byte) => byte === 0)).toBe(true);
      heap.free(again);
    }
  });

  test('keeps blocks apart', () => {
    const buffers = Array.from({ length: 500 }, (_, i) => heap.allocUnsafe(i * 7 + 1));
    for (const [i, buffer] of buffers.entries()) buffer.fill(i % 251);
    for (const [i, buffer] of buffers.entries()) {
      expect(buffer.every((byte) => byte === i % 251)).toBe(true);
    }
  });

  test('takes any power of two as alignment', () => {
    const most = external ? 2 ** 22 : 8;
    for (let align = 1; align <= most; align *= 2) {
      for (const buffer of [heap.alloc(100, { align }), heap.allocUnsafe(100, { align })]) {
        expect(heap.usableSize(buffer)).toBeGreaterThanOrEqual(100);
        heap.free(buffer.fill(1));
      }
    }
  });

  if (process.platform === 'linux' && external) {
    test('aligns the address', () => {
      const blocks = runProgram<[number, boolean][]>('alignment');
      expect(blocks.length).toBeGreaterThan(3);
      expect(blocks).toEqual(blocks.map(([align]) => [align, true]));
    });
  }

  test('of 0 bytes takes no memory and is freed once', () => {
    const buffer = heap.alloc(0);
    expect(buffer.length).toBe(0);
    expect(heap.usableSize(buffer)).toBe(0);
    expect(heap.stats().blocks).toBe(0);
    heap.free(buffer);
    expect(codeOf(() => heap.free(buffer))).toBe('ERR_MIHEAP_ALREADY_FREED');
    expect(codeOf(() => heap.free(new ArrayBuffer(0)))).toBe('ERR_MIHEAP_NOT_OWNED');
  });

  test('of 0 bytes is freed where there is no structuredClone (jsdom)', () => {
    const { structuredClone } = globalThis;
    const buffer = heap.alloc(0);
    Reflect.deleteProperty(globalThis, 'structuredClone');
    try {
      heap.free(buffer);
    } finally {
      globalThis.structuredClone = structuredClone;
    }
    expect(codeOf(() => heap.free(buffer))).toBe('ERR_MIHEAP_ALREADY_FREED');
  });

  test('of more than the system has is an error that changes nothing', () => {
    const before = heap.stats();
    const size = Math.min(constants.MAX_LENGTH, 2 ** 52);
    // Node 20 and older cannot have a buffer too big for an address space.
    if (size >= 2 ** 48) {
      expect(codeOf(() => heap.alloc(size))).toBe('ERR_MIHEAP_OUT_OF_MEMORY');
    } else {
      expect(codeOf(() => heap.alloc(size + 1))).toBe('ERR_OUT_OF_RANGE');
    }
    expect(heap.stats()).toEqual(before);
  });
});

if (external) {
  const option = '--zero-fill-buffers';
  const no = '--no-zero-fill-buffers';
  test.each([
    [false, [], ''],
    [true, [option], ''],
    [true, ['--zero_fill_buffers'], ''],
    [true, [], `--no-warnings ${option}`],
    [true, [], `"${option}"`],
    [true, [option], no],
    [false, [no], option],
  ])(
    'new memory is cleared: %s, if Node is told %j and NODE_OPTIONS=%j',
    (cleared, flags, words) => {
      const dirty = { heap: !cleared, pool: !cleared };
      const result = runProgram('zero-fill', { flags, env: { NODE_OPTIONS: words } });
      expect(result).toEqual({ main: dirty, worker: dirty });
    },
  );

  test('new memory is cleared if NODE_OPTIONS asked before the program changed it', () => {
    const clean = { heap: false, pool: false };
    const result = runProgram('zero-fill', { env: { NODE_OPTIONS: option, FORGETS: '1' } });
    expect(result).toEqual({ main: clean, worker: clean });
  });

  const help = spawnSync(process.execPath, ['--help'], { encoding: 'utf8' }).stdout;
  const names = ['--experimental-config-file', '--config-file'];
  const known = names.filter((name) => help.includes(` ${name}=`));
  (known.length === 0 ? test.skip : test).each(known.length === 0 ? names : known)(
    'new memory is cleared if the file of %s asks',
    (name) => {
      const folder = mkdtempSync(join(tmpdir(), 'miheap-'));
      const file = join(folder, 'node.json');
      writeFileSync(file, JSON.stringify({ nodeOptions: { 'zero-fill-buffers': true } }));
      try {
        const clean = { heap: false, pool: false };
        const result = runProgram('zero-fill', { flags: [`${name}=${file}`] });
        expect(result).toEqual({ main: clean, worker: clean });
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
}

test('allocUnsafe gives a Buffer that need not be cleared', () => {
  const buffer = heap.allocUnsafe(1000).fill(1);
  expect([Buffer.isBuffer(buffer), buffer.length]).toEqual([true, 1000]);
  expect(heap.stats()).toMatchObject({ bytes: 1000, blocks: 1 });
});

describe('allocFrom', () => {
  test('takes the bytes that a growable buffer has at the call', () => {
    // The compiler's library does not know of these yet, nor does Node 18.
    type Growable = SharedArrayBuffer & { grow?(length: number): void };
    const Growable = SharedArrayBuffer as new (length: number, options: object) => Growable;
    const shared = new Growable(4, { maxByteLength: 8 });
    const bytes = bytesOf(shared);
    shared.grow?.(8);
    expect(bytes).toHaveLength(4);
  });

  test('copies every kind of buffer', () => {
    const bytes = new Uint8Array([9, 1, 2, 3, 4, 9]);
    const shared = new Uint8Array(new SharedArrayBuffer(4));
    shared.set([1, 2, 3, 4]);
    const sources = [
      bytes.subarray(1, 5),
      new DataView(bytes.buffer, 1, 4),
      bytes.buffer.slice(1, 5),
      shared,
      shared.buffer,
      Buffer.from(bytes.subarray(1, 5)),
      heap.allocFrom(bytes.subarray(1, 5)),
    ];
    for (const source of sources) {
      const copy = heap.allocFrom(source);
      expect([...copy]).toEqual([1, 2, 3, 4]);
      expect(heap.owns(copy)).toBe(true);
    }
    bytes.fill(0);
    expect([...(sources[6] as Buffer)]).toEqual([1, 2, 3, 4]);
  });

  test.each([
    ['base64', 'AAAA\n\n\n\n', 3],
    ['BASE64URL', 'AA__\n\n\n\n', 3],
    ['hex', '00ff00--------', 3],
    ['utf8', '\u20ac', 3],
    ['utf8', '\ud800', 3],
    ['latin1', 'abc', 3],
    ['ucs2', 'ab', 4],
  ])('takes no more memory than %s text %j has bytes', (encoding, text, length) => {
    const exact = new Heap({ limit: length });
    const buffer = exact.allocFrom(text, { encoding: encoding as BufferEncoding });
    expect(buffer).toEqual(Buffer.from(text, encoding as BufferEncoding));
    expect(exact.stats()).toMatchObject({ peakBytes: length, allocated: 1 });
    exact.destroy();
  });

  test('takes text in any encoding, and no more than it says', () => {
    expect(heap.allocFrom('h\u00e9').toString()).toBe('h\u00e9');
    expect([...heap.allocFrom('c0ffee', { encoding: 'hex' })]).toEqual([0xc0, 0xff, 0xee]);
    expect([...heap.allocFrom('c0--', { encoding: 'hex' })]).toEqual([0xc0]);
    expect(heap.allocFrom('aGk=', { encoding: 'base64' }).toString()).toBe('hi');
    expect(heap.allocFrom('').length).toBe(0);
    expect(heap.allocFrom('--', { encoding: 'hex' }).length).toBe(0);
  });

  test('believes no class that says other things of a view than it is', () => {
    class Liar extends Uint8Array {
      override get byteLength() {
        return 1_000_000;
      }
      override get byteOffset() {
        return -8;
      }
    }
    expect([...heap.allocFrom(new Liar([1, 2, 3]))]).toEqual([1, 2, 3]);
  });
});

test('owns tells live blocks of this heap from everything else', () => {
  const buffer = heap.alloc(100);
  const empty = heap.alloc(0);
  const other = new Heap();
  const yes = [buffer, buffer.subarray(50), buffer.buffer, new DataView(buffer.buffer), empty];
  for (const value of yes) expect(heap.owns(value)).toBe(true);
  const no = [other.alloc(100), other.alloc(0), Buffer.alloc(100), undefined, null, 5, 'text', {}];
  for (const value of [...no, new SharedArrayBuffer(8)]) expect(heap.owns(value)).toBe(false);
  heap.free(buffer);
  heap.free(empty);
  for (const value of yes) expect(heap.owns(value)).toBe(false);
  const last = heap.alloc(1);
  heap.destroy();
  expect(heap.owns(last)).toBe(false);
  other.destroy();
});

test('name and align are shown, and align is that of blocks that ask for no other', () => {
  const named = new Heap({ name: 'tiles', align: 8 });
  expect([named.name, named.align, named.stats().name]).toEqual(['tiles', 8, 'tiles']);
  expect([heap.name, heap.align]).toEqual(['', undefined]);
  named.destroy();
  expect(() => named.alloc(1)).toThrow('heap "tiles" was destroyed');
});

describe('allocTyped', () => {
  test('takes classes that are derived from a typed array', () => {
    class Samples extends Float32Array {}
    class Loud extends Samples {
      double(): this {
        return this.map((sample) => sample * 2) as this;
      }
    }
    for (const length of [0, 3]) {
      const loud = heap.allocTyped(Loud, length);
      expect([loud.constructor, loud.length, loud.byteLength]).toEqual([Loud, length, 4 * length]);
      expect(heap.owns(loud)).toBe(true);
      expect([...loud.fill(1.5).double()]).toEqual(Array(length).fill(3));
    }
    const region = new Region({ heap });
    expect(region.allocTyped(Samples, 5)).toBeInstanceOf(Samples);
    region.destroy();
  });

  test('frees what a class does not want', () => {
    class Never extends Uint8Array {
      constructor(memory: ArrayBuffer) {
        super(memory);
        throw new Error('never');
      }
    }
    expect(() => heap.allocTyped(Never, 1000)).toThrow('never');
    expect(heap.stats().blocks).toBe(0);
  });

  test('gives an array of elements', () => {
    const doubles = heap.allocTyped(Float64Array, 1000);
    expect(doubles).toBeInstanceOf(Float64Array);
    expect([doubles.length, doubles.byteLength]).toEqual([1000, 8000]);
    doubles.fill(Math.PI);
    expect(doubles.every((value) => value === Math.PI)).toBe(true);
    expect(heap.stats().bytes).toBe(8000);
    heap.free(doubles);
    expect(doubles.length).toBe(0);
  });

  test('takes every kind of typed array', () => {
    for (const type of [Int8Array, Uint8ClampedArray, Uint16Array, Float32Array, BigInt64Array]) {
      const array = heap.allocTyped<ArrayBufferView>(type, 3);
      expect(array.byteLength).toBe(3 * type.BYTES_PER_ELEMENT);
    }
  });
});

describe('realloc', () => {
  test('keeps the contents and clears what is new', () => {
    let buffer = heap.alloc(10).fill(7);
    for (const size of [11, 64, 1000, 70_000, 3_000_000, 20_000_000]) {
      const old = buffer;
      buffer = heap.realloc(old, size);
      expect(old.length).toBe(0);
      expect(buffer.length).toBe(size);
      expect(buffer.subarray(0, 10).equals(Buffer.alloc(10, 7))).toBe(true);
      expect(buffer.subarray(10).every((byte) => byte === 0)).toBe(true);
    }
    buffer.fill(9);
    buffer = heap.realloc(buffer, 5);
    expect(buffer.equals(Buffer.alloc(5, 9))).toBe(true);
    expect(heap.stats()).toMatchObject({ bytes: 5, blocks: 1 });
  });

  test('clears bytes that the block had all along', () => {
    const small = heap.realloc(heap.alloc(1000).fill(0xff), 600);
    const cleared = heap.realloc(small, 1000);
    expect(cleared.subarray(0, 600).every((byte) => byte === 0xff)).toBe(true);
    expect(cleared.subarray(600).every((byte) => byte === 0)).toBe(true);
  });

  test('returns an ArrayBuffer for an ArrayBuffer, else a Buffer over the whole block', () => {
    const arrayBuffer = heap.realloc(heap.allocArrayBuffer(8), 16);
    expect(arrayBuffer).toBeInstanceOf(ArrayBuffer);
    const buffer = heap.realloc(new Uint16Array(arrayBuffer, 4, 2), 32);
    expect(Buffer.isBuffer(buffer)).toBe(true);
    expect(buffer.length).toBe(32);
  });

  test('goes to and from 0 bytes', () => {
    const some = heap.realloc(heap.alloc(0), 10);
    expect(some.length).toBe(10);
    const none = heap.realloc(some, 0);
    expect(none.length).toBe(0);
    expect(heap.stats().blocks).toBe(0);
    heap.free(none);
  });
});

describe('free', () => {
  test('detaches every view and gives the memory back at once', () => {
    const before = processStats();
    const buffer = heap.alloc(4096);
    const view = new DataView(buffer.buffer, 8, 16);
    const slice = buffer.subarray(100);
    expect(processStats().heldBytes - before.heldBytes).toBe(4096);
    heap.free(buffer);
    expect([buffer.length, slice.length, buffer.buffer.byteLength]).toEqual([0, 0, 0]);
    expect(() => view.byteLength).toThrow(TypeError);
    expect(processStats()).toMatchObject({
      heldBytes: before.heldBytes,
      heldBlocks: before.heldBlocks,
    });
    expect(heap.stats()).toMatchObject({ bytes: 0, blocks: 0, allocated: 1, collected: 0 });
  });

  test('of a view of a part frees the whole block', () => {
    const buffer = heap.alloc(100);
    heap.free(buffer.subarray(3, 7));
    expect(buffer.length).toBe(0);
    expect(heap.stats().blocks).toBe(0);
  });

  test('takes an ArrayBuffer and a DataView', () => {
    const arrayBuffer = heap.allocArrayBuffer(100);
    heap.free(arrayBuffer);
    heap.free(new DataView(heap.allocArrayBuffer(100)));
    expect(arrayBuffer.byteLength).toBe(0);
    expect(heap.stats().blocks).toBe(0);
  });
});

test('usableSize is at least the size, and all of it can be had without moving', () => {
  const buffer = heap.alloc(1001);
  const usable = heap.usableSize(buffer);
  expect(usable).toBeGreaterThanOrEqual(1001);
  expect(heap.usableSize(heap.realloc(buffer, usable))).toBe(usable);
});

test('stats counts bytes as asked for', () => {
  const buffers = [heap.alloc(100), heap.alloc(23)];
  expect(heap.stats()).toEqual({
    name: '',
    bytes: 123,
    peakBytes: 123,
    limit: Number.POSITIVE_INFINITY,
    blocks: 2,
    allocated: 2,
    collected: 0,
    sizeClasses: [
      { upTo: 32, blocks: 1, bytes: 23 },
      { upTo: 112, blocks: 1, bytes: 100 },
    ],
  });
  heap.free(buffers[0] as Buffer);
  expect(heap.stats()).toMatchObject({ bytes: 23, peakBytes: 123, blocks: 1, allocated: 2 });
});

test('stats tells sizes apart, and forgets what is freed', () => {
  const sizes = [1, 16, 17, 128, 129, 144, 145, 1024, 1025, 1152, 100_000, 5_000_000];
  const buffers = sizes.map((size) => heap.allocUnsafe(size));
  const classes = heap.stats().sizeClasses;
  expect(classes.map(({ upTo, blocks }) => [upTo, blocks])).toEqual([
    [16, 2],
    [32, 1],
    [128, 1],
    [144, 2],
    [160, 1],
    [1024, 1],
    [1152, 2],
    [106_496, 1],
    [5_242_880, 1],
  ]);
  expect(classes.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(heap.stats().bytes);
  for (const buffer of buffers) heap.free(buffer);
  expect(heap.stats().sizeClasses).toEqual([]);
});

test('processStats agrees with what Node says of the process', () => {
  const buffer = heap.alloc(8_000_000).fill(1);
  const stats = processStats();
  const { rss } = process.memoryUsage();
  expect(Math.abs(stats.rss - rss)).toBeLessThan(rss / 5);
  expect(stats.peakRss).toBeGreaterThanOrEqual(stats.rss * 0.99);
  if (external) expect(stats.allocator.committed.current).toBeGreaterThanOrEqual(8_000_000);
  const { user, system } = process.cpuUsage();
  expect(Math.abs(stats.user + stats.system - (user + system) / 1000)).toBeLessThan(500);
  expect(stats.pageFaults).toBeGreaterThanOrEqual(0);
  expect(stats.elapsed).toBeGreaterThan(0);
  heap.free(buffer);
});

test('collect leaves live blocks alone', () => {
  const buffer = heap.alloc(100_000).fill(3);
  heap.collect();
  expect(buffer.every((byte) => byte === 3)).toBe(true);
});

describe('destroy', () => {
  test('detaches every buffer and frees the memory; again does nothing', () => {
    const before = processStats().heldBytes;
    const buffers = Array.from({ length: 100 }, (_, i) => heap.alloc(i * 100 + 1));
    heap.free(buffers[50] as Buffer);
    expect(heap.destroyed).toBe(false);
    heap.destroy();
    heap.destroy();
    expect(heap.destroyed).toBe(true);
    expect(buffers.map((buffer) => buffer.length)).toEqual(buffers.map(() => 0));
    expect(processStats().heldBytes).toBe(before);
  });

  test('leaves other heaps alone', () => {
    const other = new Heap();
    const buffer = other.alloc(1000).fill(1);
    heap.alloc(1000).fill(2);
    heap.destroy();
    expect(buffer.every((byte) => byte === 1)).toBe(true);
    other.destroy();
  });

  test('happens at the end of a using block', () => {
    let buffer: Buffer;
    {
      using scoped = new Heap();
      buffer = scoped.alloc(10);
      expect(buffer.length).toBe(10);
    }
    expect(buffer.length).toBe(0);
  });
});

describe('other buffers', () => {
  test("Node's buffer pool is neither used nor harmed", () => {
    const pooled = Buffer.from('pooled');
    expect(heap.alloc(8).buffer).not.toBe(pooled.buffer);
    expect(codeOf(() => heap.free(pooled))).toBe('ERR_MIHEAP_NOT_OWNED');
    expect(pooled.toString()).toBe('pooled');
  });

  test('structuredClone copies, and the copy is not ours', () => {
    const buffer = heap.alloc(10).fill(4);
    const copy = structuredClone(buffer);
    expect([...copy]).toEqual([...buffer]);
    expect(codeOf(() => heap.free(copy))).toBe('ERR_MIHEAP_NOT_OWNED');
    heap.free(buffer);
  });

  test('structuredClone with transfer does not take the memory away', () => {
    const arrayBuffer = heap.allocArrayBuffer(10);
    try {
      structuredClone(arrayBuffer, { transfer: [arrayBuffer] });
    } catch (error) {
      expect((error as Error).name).toBe('DataCloneError');
    }
    // Memory that V8 owns, V8 may move.
    if (external) heap.free(arrayBuffer);
    else expect(codeOf(() => heap.free(arrayBuffer))).toBe('ERR_MIHEAP_ALREADY_FREED');
  });
});

if ('transfer' in ArrayBuffer.prototype) {
  describe('ArrayBuffer.prototype.transfer', () => {
    const transfer = (buffer: ArrayBuffer, length?: unknown): ArrayBuffer =>
      // biome-ignore lint/suspicious/noExplicitAny: newer than the types we compile against
      (buffer as any).transfer(length);

    test('moves the block to the new ArrayBuffer', () => {
      const old = heap.alloc(100).fill(3);
      const moved = transfer(old.buffer as ArrayBuffer);
      expect([old.length, moved.byteLength, heap.stats().blocks]).toEqual([0, 100, 1]);
      expect(codeOf(() => heap.free(old))).toBe('ERR_MIHEAP_ALREADY_FREED');
      const bigger = Buffer.from(heap.realloc(moved, 200));
      expect(bigger.subarray(0, 100).equals(Buffer.alloc(100, 3))).toBe(true);
      heap.free(bigger);
      expect(heap.stats().blocks).toBe(0);
    });

    test.each(['100', 100.9, { valueOf: () => 100 }])('moves it if the length is %p', (length) => {
      const moved = transfer(heap.allocArrayBuffer(100), length);
      expect([moved.byteLength, heap.stats().blocks]).toEqual([100, 1]);
      heap.free(moved);
    });

    test('moves it whatever it says of its own length', () => {
      const old = heap.allocArrayBuffer(100);
      Object.defineProperty(old, 'byteLength', { value: 99 });
      heap.free(transfer(old, 100));
      expect(heap.stats().blocks).toBe(0);
    });

    test.each([10n, Symbol('length')])('refuses the length %p', (length) => {
      const old = heap.allocArrayBuffer(100);
      expect(() => transfer(old, length)).toThrow(TypeError);
      heap.free(old);
    });

    test('to another length makes a copy, which is not ours', () => {
      const copy = transfer(heap.allocArrayBuffer(100), 50);
      expect(copy.byteLength).toBe(50);
      expect(codeOf(() => heap.free(copy))).toBe('ERR_MIHEAP_NOT_OWNED');
    });

    test('does not let the memory go to another thread', () => {
      const moved = transfer(heap.allocArrayBuffer(100));
      const send = () => structuredClone(moved, { transfer: [moved] });
      expect(send).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
      expect(moved.byteLength).toBe(100);
    });

    test('moves the block of a runtime that forbids external buffers', () => {
      const env = { MIHEAP_EXTERNAL_BUFFERS: '0' };
      expect(runProgram('internal-transfer', { flags: ['--expose-gc'], env })).toEqual({
        before: 1,
        after: 0,
        length: 0,
      });
    });
  });
}

test('a runtime that forbids external buffers gets the same façade over its own memory', () => {
  expect(heap.external).toBe(external);
  expect(runProgram('internal', { env: { MIHEAP_EXTERNAL_BUFFERS: '0' } })).toEqual({
    external: false,
    zeroed: true,
    contents: 'kept',
    oldLength: 0,
    freedLength: 0,
    doubleFree: 'ERR_MIHEAP_ALREADY_FREED',
    align: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
    limit: 'ERR_MIHEAP_LIMIT',
    destroyedLength: 0,
    heldBytes: 0,
    heldBlocks: 0,
  });
});

test('one native module serves require and import', () => {
  expect(runProgram('both-modules')).toEqual({
    sameHeap: true,
    names: Object.keys(require('../../lib')).sort(),
  });
});

describe('a buffer of no bytes', () => {
  /** Node before 18.13 takes every such buffer for a detached one. */
  function asOldNode(action: () => void): void {
    const { find, free, transfer, usableSize } = native;
    const old = (status: number) => (status === Status.NotOwned ? Status.Detached : status);
    native.find = (...args) => old(find(...args));
    native.free = (...args) => old(free(...args));
    native.transfer = (...args) => old(transfer(...args));
    native.usableSize = (...args) => old(usableSize(...args));
    try {
      action();
    } finally {
      Object.assign(native, { find, free, transfer, usableSize });
    }
  }

  test('is alive where the runtime says that it is detached', () => {
    asOldNode(() => {
      expect(heap.owns(heap.alloc(0))).toBe(true);
      expect(heap.usableSize(heap.alloc(0))).toBe(0);
      expect(heap.realloc(heap.alloc(0), 5).length).toBe(5);
      expect(heap.transfer(heap.alloc(0)).byteLength).toBe(0);
      const buffer = heap.alloc(0);
      heap.free(buffer);
      expect(codeOf(() => heap.free(buffer))).toBe('ERR_MIHEAP_ALREADY_FREED');
    });
  });

  test('that was transferred away is not alive', () => {
    const buffer = heap.allocArrayBuffer(0);
    structuredClone(buffer, { transfer: [buffer] });
    expect(heap.owns(buffer)).toBe(false);
    for (const method of ['free', 'usableSize', 'transfer', 'share'] as const) {
      expect(codeOf(() => heap[method](buffer))).toBe('ERR_MIHEAP_ALREADY_FREED');
    }
    expect(codeOf(() => heap.realloc(buffer, 5))).toBe('ERR_MIHEAP_ALREADY_FREED');
  });
});
