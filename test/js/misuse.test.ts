import { constants } from 'node:buffer';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as miheap from '../../lib';
import { Heap, Pool, processStats, Region } from '../../lib';
import { codeOf, thrownBy } from './support';

// biome-ignore lint/suspicious/noExplicitAny: misuse is what the types forbid
type Anything = any;

let heap: Heap;
let other: Heap;
let live: Buffer;
beforeAll(() => {
  heap = new Heap({ limit: 10_000 });
  other = new Heap();
  live = heap.alloc(100).fill(6);
});
afterAll(() => {
  heap.destroy();
  other.destroy();
});

/** Every call must throw the same class and code, and change nothing. */
function expectMisuse(type: ErrorConstructor, code: string, action: (heap: Anything) => unknown) {
  const before = [heap.stats(), other.stats(), processStats().heldBytes];
  const error = thrownBy(() => action(heap));
  expect(error).toBeInstanceOf(type);
  expect(error?.code).toBe(code);
  expect(error?.message).not.toBe('');
  expect([heap.stats(), other.stats(), processStats().heldBytes]).toEqual(before);
  expect(live.equals(Buffer.alloc(100, 6))).toBe(true);
}

const notNumbers: unknown[] = [undefined, null, '10', 10n, {}, [], true, Symbol('10'), () => 10];
const badSizes = [
  -1,
  Number.NaN,
  1.5,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  constants.MAX_LENGTH + 1,
  2 ** 53,
  1e300,
  -0.5,
];

test('a Proxy of a buffer is called a Proxy', () => {
  const buffer = new Proxy(Buffer.alloc(1), {});
  expect(thrownBy(() => heap.free(buffer))?.message).toBe(
    '"buffer" must be an ArrayBuffer, or a Buffer or view of one; got a Proxy',
  );
});

describe('sizes', () => {
  test.each(notNumbers.map((size) => [size]))('%p is not a number', (size) => {
    for (const action of [
      (h: Anything) => h.alloc(size),
      (h: Anything) => h.allocArrayBuffer(size),
      (h: Anything) => h.allocTyped(Float64Array, size),
      (h: Anything) => h.realloc(live, size),
    ]) {
      expectMisuse(TypeError, 'ERR_INVALID_ARG_TYPE', action);
    }
  });

  test.each(badSizes)('%p is out of range', (size) => {
    for (const action of [
      (h: Anything) => h.alloc(size),
      (h: Anything) => h.allocArrayBuffer(size),
      (h: Anything) => h.allocTyped(Float64Array, size),
      (h: Anything) => h.realloc(live, size),
    ]) {
      expectMisuse(RangeError, 'ERR_OUT_OF_RANGE', action);
    }
  });

  test('that overflow once multiplied are out of range', () => {
    expectMisuse(RangeError, 'ERR_OUT_OF_RANGE', (h) =>
      h.allocTyped(Float64Array, constants.MAX_LENGTH),
    );
  });
});

describe('options', () => {
  test.each([[0], [-8], [2 ** 31], [1.5], [Number.NaN]])('align %p is out of range', (align) => {
    expectMisuse(RangeError, 'ERR_OUT_OF_RANGE', (h) => h.alloc(10, { align }));
  });

  test.each([[3], [24], [1000]])('align %p is not a power of two', (align) => {
    expectMisuse(TypeError, 'ERR_INVALID_ARG_VALUE', (h) => h.alloc(10, { align }));
  });

  test('of the wrong type', () => {
    const actions: ((h: Anything) => unknown)[] = [
      (h) => h.alloc(10, { align: '16' }),
      (h) => h.alloc(0, { align: '16' }),
      (h) => h.alloc(10, null),
      (h) => h.alloc(10, 16),
      (h) => h.alloc(10, [16]),
      (h) => h.allocTyped({}, 10),
      (h) => h.allocTyped(Buffer, 10),
      (h) => h.allocTyped(class extends (Buffer as Anything) {}, 10),
      (h) => h.allocTyped(DataView, 10),
      (h) => h.allocTyped(Function.prototype, 10),
      () => new Heap(null as Anything),
      () => new Heap([] as Anything),
      () => new Heap({ limit: '5' as Anything }),
      () => new Heap({ name: 5 as Anything }),
      () => new Heap({ align: '5' as Anything }),
    ];
    for (const action of actions) expectMisuse(TypeError, 'ERR_INVALID_ARG_TYPE', action);
  });

  test.each([[-1], [1.5], [Number.NaN], [2 ** 53]])('limit %p is out of range', (limit) => {
    expectMisuse(RangeError, 'ERR_OUT_OF_RANGE', () => new Heap({ limit }));
  });
});

test('calls that get no options take none from Object.prototype', () => {
  const poison = { align: 'x', chunkSize: 'x', encoding: 'hex', heap: {}, limit: 1, name: 5 };
  const names = Object.keys(poison);
  const poolOptions = Object.assign(Object.create(null), { blockSize: 100 });
  Object.assign(Object.prototype, poison);
  let made: [number, number, number] | undefined;
  try {
    const own = new Heap();
    const pool = new Pool(poolOptions);
    const region = new Region();
    made = [own.allocFrom('beef').length, pool.acquire().length, region.alloc(10).length];
    for (const one of [own, pool, region]) one.destroy();
  } finally {
    for (const name of names) Reflect.deleteProperty(Object.prototype, name);
  }
  expect(made).toEqual([4, 100, 10]);
});

test('what an object was made with cannot be assigned', () => {
  const own = new Heap({ limit: 1000 });
  const pool = new Pool({ blockSize: 100, max: 2 });
  const region = new Region({ heap: own, limit: 500 });
  for (const [object, name] of [
    ...['name', 'limit', 'align'].map((name) => [own, name]),
    ...['name', 'blockSize', 'max'].map((name) => [pool, name]),
    ...['name', 'chunkSize', 'limit'].map((name) => [region, name]),
  ] as [Anything, string][]) {
    const before = object[name];
    expect(() => Object.assign(object, { [name]: 1 })).toThrow(TypeError);
    expect(object[name]).toBe(before);
  }
  pool.destroy();
  region.destroy();
  own.destroy();
});

const methods: [string, (h: Anything, buffer: unknown) => unknown][] = [
  ['free', (h, buffer) => h.free(buffer)],
  ['realloc', (h, buffer) => h.realloc(buffer, 10)],
  ['usableSize', (h, buffer) => h.usableSize(buffer)],
];

describe.each(methods)('%s', (_name, method) => {
  test('of what is no buffer', () => {
    const shared = new SharedArrayBuffer(8);
    const notBuffers = [...notNumbers, 'text', 10, shared, new Uint8Array(shared)];
    for (const value of notBuffers) {
      expectMisuse(TypeError, 'ERR_INVALID_ARG_TYPE', (h) => method(h, value));
    }
  });

  test('of a foreign buffer', () => {
    const foreign = [Buffer.alloc(100), Buffer.from('pooled'), new ArrayBuffer(5)];
    for (const value of foreign) {
      const length = value.byteLength;
      expectMisuse(Error, 'ERR_MIHEAP_NOT_OWNED', (h) => method(h, value));
      expect(value.byteLength).toBe(length);
    }
  });

  test("of another heap's buffer", () => {
    const buffer = other.alloc(50).fill(8);
    expectMisuse(Error, 'ERR_MIHEAP_NOT_OWNED', (h) => method(h, buffer));
    expect(buffer.equals(Buffer.alloc(50, 8))).toBe(true);
    const empty = other.alloc(0);
    expectMisuse(Error, 'ERR_MIHEAP_NOT_OWNED', (h) => method(h, empty));
    other.free(buffer);
  });

  test('of a freed buffer, whose memory is in use again', () => {
    const buffer = heap.alloc(64);
    const view = buffer.subarray(8);
    heap.free(buffer);
    const next = heap.alloc(64).fill(1);
    for (const value of [buffer, view, buffer.buffer]) {
      expectMisuse(Error, 'ERR_MIHEAP_ALREADY_FREED', (h) => method(h, value));
    }
    expect(next.equals(Buffer.alloc(64, 1))).toBe(true);
    heap.free(next);
  });

  test('of a reallocated buffer', () => {
    const old = heap.alloc(64);
    const next = heap.realloc(old, 65);
    expectMisuse(Error, 'ERR_MIHEAP_ALREADY_FREED', (h) => method(h, old));
    heap.free(next);
  });

  test('of a detached foreign buffer', () => {
    const detached = new ArrayBuffer(8);
    structuredClone(detached, { transfer: [detached] });
    expectMisuse(Error, 'ERR_MIHEAP_ALREADY_FREED', (h) => method(h, detached));
  });
});

test('a destroyed heap answers every call with ERR_MIHEAP_DESTROYED', () => {
  const destroyed = new Heap();
  const buffer = destroyed.alloc(10);
  destroyed.destroy();
  const actions: (() => unknown)[] = [
    () => destroyed.alloc(10),
    () => destroyed.alloc(0),
    () => destroyed.allocArrayBuffer(10),
    () => destroyed.allocTyped(Uint8Array, 10),
    () => destroyed.realloc(buffer, 10),
    () => destroyed.realloc(live, 10),
    () => destroyed.free(buffer),
    () => destroyed.free(live),
    () => destroyed.usableSize(live),
    () => destroyed.stats(),
    () => destroyed.collect(),
  ];
  for (const action of actions) expect(codeOf(action)).toBe('ERR_MIHEAP_DESTROYED');
  expect(live.equals(Buffer.alloc(100, 6))).toBe(true);
});

test('every error class is exported', () => {
  expect(thrownBy(() => heap.alloc(-1))).toBeInstanceOf(miheap.OutOfRangeError);
  expect(thrownBy(() => heap.alloc('1' as Anything))).toBeInstanceOf(miheap.InvalidTypeError);
  expect(thrownBy(() => heap.alloc(1, { align: 3 }))).toBeInstanceOf(miheap.InvalidValueError);
  expect(thrownBy(() => heap.alloc(20_000))).toBeInstanceOf(miheap.HeapLimitError);
  expect(thrownBy(() => heap.free(Buffer.alloc(1)))).toBeInstanceOf(miheap.NotOwnedError);
  expect(thrownBy(() => heap.free(Buffer.alloc(1)))).toBeInstanceOf(miheap.MiheapError);
});

test('options whose getters destroy the heap find it destroyed', () => {
  const code = 'ERR_MIHEAP_DESTROYED';
  const allocating = new Heap();
  const trap = (heap: Heap) => ({
    get align() {
      heap.destroy();
      return 16;
    },
  });
  expect(() => allocating.alloc(16, trap(allocating))).toThrow(expect.objectContaining({ code }));
  const typed = new Heap();
  const trapping = class extends Object.getPrototypeOf(Uint8Array) {
    static get BYTES_PER_ELEMENT() {
      typed.destroy();
      return 1;
    }
  };
  expect(() => typed.allocTyped(trapping as Anything, 3)).toThrow(
    expect.objectContaining({ code }),
  );
});

test('a view whose own properties lie, throw or destroy the heap is what it is', () => {
  const heap = new Heap();
  const trap = (view: NodeJS.ArrayBufferView) =>
    Object.defineProperty(view, 'buffer', {
      get() {
        heap.destroy();
        throw new Error('read');
      },
    });
  const memory = heap.allocArrayBuffer(16);
  const views: (new (memory: ArrayBuffer) => NodeJS.ArrayBufferView)[] = [
    Uint8Array,
    Float64Array,
    DataView,
  ];
  for (const Type of views) {
    expect(heap.owns(trap(new Type(memory)))).toBe(true);
    expect(heap.owns(trap(new Type(new ArrayBuffer(8))))).toBe(false);
  }
  expect(heap.usableSize(trap(new DataView(memory)))).toBe(16);
  heap.free(trap(new Float64Array(memory)));
  expect(memory.byteLength).toBe(0);
  expect(heap.stats().blocks).toBe(0);
  heap.destroy();
});

test('free does not depend on a setTimeout that the program replaced', () => {
  const heap = new Heap();
  const buffer = heap.alloc(8 << 20);
  const original = globalThis.setTimeout;
  globalThis.setTimeout = (() => {
    throw new Error('replaced');
  }) as unknown as typeof setTimeout;
  try {
    heap.free(buffer);
  } finally {
    globalThis.setTimeout = original;
  }
  expect(heap.stats().bytes).toBe(0);
  heap.destroy();
});

test.each<[unknown, string]>([
  [undefined, 'undefined'],
  [true, 'true'],
  [-1.5, '-1.5'],
  [7n, '7n'],
  ['x'.repeat(50), `the string "${'x'.repeat(40)}"`],
  [Symbol('x'), 'a symbol'],
  [DataView, 'a function DataView'],
  [
    (
      () => () =>
        0
    )(),
    'a function',
  ],
  [[1], 'an instance of Array'],
  [Object.create(null), 'an instance of Object'],
  [new (class {})(), 'an instance of Object'],
  [new Proxy(DataView, {}), 'a Proxy'],
])('an error says what it got: %p', (value, shown) => {
  expect(thrownBy(() => heap.allocTyped(value as Anything, 1))?.message).toBe(
    `"type" must be the constructor of a typed array; got ${shown}`,
  );
});
