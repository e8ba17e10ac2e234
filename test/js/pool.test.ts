import { constants } from 'node:buffer';
import * as events from 'node:events';
import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Pool, type PoolOptions, processStats } from '../../lib';
import { native, Status } from '../../lib/native';
import { detach } from './detach';
import { checkedEnvironment, codeOf, runProgram, thrownBy } from './support';

// biome-ignore lint/suspicious/noExplicitAny: misuse is what the types forbid
type Anything = any;

let pools: Pool[] = [];
function pool(options: PoolOptions): Pool {
  const made = new Pool(options);
  pools.push(made);
  return made;
}
afterEach(() => {
  for (const made of pools) made.destroy();
  pools = [];
});

describe('acquire and release', () => {
  test.each([1, 7, 64, 4096, 1 << 20])('blocks of %i bytes go round', (blockSize) => {
    const blocks = pool({ blockSize });
    const first = blocks.acquire();
    expect(Buffer.isBuffer(first)).toBe(true);
    expect([first.length, first.byteOffset, first.buffer.byteLength]).toEqual([
      blockSize,
      0,
      blockSize,
    ]);
    const second = blocks.acquire().fill(2);
    expect(second).not.toBe(first);
    first.fill(1);
    expect(second.every((byte) => byte === 2)).toBe(true);
    blocks.release(first);
    expect(blocks.acquire()).toBe(first);
    expect(first[blockSize - 1]).toBe(1);
  });

  test('any view of a block stands for it', () => {
    const blocks = pool({ blockSize: 64 });
    const block = blocks.acquire();
    const views: Anything[] = [
      block,
      block.subarray(5, 9),
      new Float64Array(block.buffer),
      block.buffer,
    ];
    for (const view of [...views, new DataView(block.buffer), block.subarray(64)]) {
      blocks.release(view);
      expect(blocks.stats()).toMatchObject({ held: 0, free: 1 });
      expect(blocks.acquire()).toBe(block);
    }
  });

  test('stats count blocks', () => {
    const blocks = pool({ blockSize: 100, max: 5, prefill: 2, name: 'some' });
    expect([blocks.name, blocks.blockSize, blocks.max]).toEqual(['some', 100, 5]);
    const held = [blocks.acquire(), blocks.acquire(), blocks.acquire()];
    blocks.release(held[1] as Buffer);
    expect(blocks.stats()).toEqual({
      blocks: 3,
      held: 2,
      free: 1,
      bytes: 300,
      waiting: 0,
      created: 3,
      lost: 0,
    });
  });

  test('prefill takes the memory at once', () => {
    const before = processStats().heldBytes;
    const blocks = pool({ blockSize: 1000, prefill: 10 });
    expect(processStats().heldBytes - before).toBe(10_000);
    expect(blocks.stats()).toMatchObject({ blocks: 10, free: 10 });
  });

  test('align aligns, where memory is external', () => {
    const blocks = pool({ blockSize: 100, align: 8 });
    expect(blocks.acquire().length).toBe(100);
  });
});

describe('misuse', () => {
  test('of max', () => {
    const blocks = pool({ blockSize: 10, max: 2, name: 'pair' });
    const first = blocks.acquire();
    blocks.acquire();
    const error = thrownBy(() => blocks.acquire());
    expect(error?.code).toBe('ERR_MIHEAP_POOL_EXHAUSTED');
    expect(error?.message).toContain('pool "pair" has 2 blocks');
    blocks.release(first);
    expect(blocks.acquire()).toBe(first);
  });

  test('release twice', () => {
    const blocks = pool({ blockSize: 10 });
    const block = blocks.acquire();
    blocks.release(block);
    for (const value of [block, block.subarray(2), block.buffer] as Anything[]) {
      expect(codeOf(() => blocks.release(value))).toBe('ERR_MIHEAP_ALREADY_RELEASED');
    }
    expect(blocks.stats()).toMatchObject({ free: 1, held: 0 });
  });

  test('release of what is not the pool’s', () => {
    const blocks = pool({ blockSize: 10 });
    const other = pool({ blockSize: 10 });
    const foreign = [other.acquire(), Buffer.alloc(10), new ArrayBuffer(10), new Uint8Array(10)];
    for (const value of foreign) {
      expect(codeOf(() => blocks.release(value))).toBe('ERR_MIHEAP_NOT_OWNED');
    }
    const shared = new SharedArrayBuffer(10);
    for (const value of [undefined, null, 5, 'text', {}, [], blocks, shared, Buffer.from(shared)]) {
      expect(codeOf(() => blocks.release(value as Anything))).toBe('ERR_INVALID_ARG_TYPE');
    }
    const pretender = Object.create(blocks.acquire());
    expect(codeOf(() => blocks.release(pretender))).toBe('ERR_INVALID_ARG_TYPE');
    expect(blocks.stats()).toMatchObject({ blocks: 1, held: 1 });
    expect(other.stats()).toMatchObject({ blocks: 1, held: 1 });
  });

  test('of the options', () => {
    const types: Anything[] = [
      undefined,
      null,
      5,
      {},
      { blockSize: '10' },
      { blockSize: 10, max: '1' },
      { blockSize: 10, max: null },
      { blockSize: 10, prefill: 1n },
      { blockSize: 10, poison: 1 },
      { blockSize: 10, align: '8' },
      { blockSize: 10, name: 5 },
    ];
    for (const options of types) {
      expect(codeOf(() => new Pool(options))).toBe('ERR_INVALID_ARG_TYPE');
    }
    const ranges = [
      ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, constants.MAX_LENGTH + 1].map(
        (blockSize) => ({ blockSize }),
      ),
      ...[0, -1, 1.5, Number.NaN].map((max) => ({ blockSize: 10, max })),
      ...[-1, 1.5, 3, Number.POSITIVE_INFINITY].map((prefill) => ({
        blockSize: 10,
        max: 2,
        prefill,
      })),
      { blockSize: 10, align: 0 },
    ];
    for (const options of ranges) {
      expect(codeOf(() => new Pool(options))).toBe('ERR_OUT_OF_RANGE');
    }
    expect(codeOf(() => new Pool({ blockSize: 10, align: 3 }))).toBe('ERR_INVALID_ARG_VALUE');
  });

  test('a pool that cannot be filled leaves nothing', () => {
    const { heldBytes } = processStats();
    const { allocate } = native;
    let left = 3;
    native.allocate = (...args) => (left-- > 0 ? allocate(...args) : Status.NoMemory);
    try {
      const code = codeOf(() => new Pool({ blockSize: 1000, prefill: 10 }));
      expect(code).toBe('ERR_MIHEAP_OUT_OF_MEMORY');
    } finally {
      native.allocate = allocate;
    }
    expect(processStats().heldBytes).toBe(heldBytes);
  });
});

describe('destroy', () => {
  test('detaches every block, held or free, and gives the memory back', () => {
    const { heldBytes, heldBlocks } = processStats();
    const blocks = new Pool({ blockSize: 5000, prefill: 3 });
    const held = blocks.acquire();
    const view = held.subarray(100);
    const free = blocks.acquire();
    blocks.release(free);
    blocks.destroy();
    expect([held.length, view.length, free.length]).toEqual([0, 0, 0]);
    expect(processStats()).toMatchObject({ heldBytes, heldBlocks });
    expect(blocks.destroyed).toBe(true);
    blocks.destroy();
    for (const action of [
      () => blocks.acquire(),
      () => blocks.release(held),
      () => blocks.release(free),
      () => blocks.release(Buffer.alloc(1)),
      () => blocks.stats(),
    ]) {
      expect(codeOf(action)).toBe('ERR_MIHEAP_DESTROYED');
    }
  });

  test('is what the end of a scope does', () => {
    const blocks = new Pool({ blockSize: 10 });
    blocks[Symbol.dispose]();
    expect(blocks.destroyed).toBe(true);
  });
});

describe('acquireAsync', () => {
  test('has no need to wait while there are blocks', async () => {
    const blocks = pool({ blockSize: 10, max: 1 });
    const block = await blocks.acquireAsync();
    blocks.release(block);
    expect(await blocks.acquireAsync()).toBe(block);
  });

  test('serves those who wait in the order in which they came', async () => {
    const blocks = pool({ blockSize: 10, max: 2 });
    const held = [blocks.acquire(), blocks.acquire()];
    const served: number[] = [];
    const all = Array.from({ length: 20 }, async (_, i) => {
      const block = await blocks.acquireAsync();
      served.push(i);
      expect(codeOf(() => blocks.acquire())).toBe('ERR_MIHEAP_POOL_EXHAUSTED');
      await null;
      blocks.release(block);
    });
    expect(blocks.stats()).toMatchObject({ waiting: 20, held: 2, free: 0 });
    for (const block of held) blocks.release(block);
    expect(blocks.stats()).toMatchObject({ waiting: 18, held: 2, free: 0 });
    await Promise.all(all);
    expect(served).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(blocks.stats()).toMatchObject({ waiting: 0, held: 0, free: 2, created: 2 });
  });

  test('lets nobody who comes later go on earlier', async () => {
    const blocks = pool({ blockSize: 10, max: 2 });
    const held = [blocks.acquire(), blocks.acquire()];
    const order: string[] = [];
    const early = blocks.acquireAsync().then(() => order.push('early'));
    for (const block of held) blocks.release(block);
    const late = blocks.acquireAsync().then(() => order.push('late'));
    await Promise.all([early, late]);
    expect(order).toEqual(['early', 'late']);
  });

  test('an aborted wait ends with the reason and leaves no trace', async () => {
    const blocks = pool({ blockSize: 10, max: 1 });
    const block = blocks.acquire();
    const controllers = Array.from({ length: 5 }, () => new AbortController());
    const waits = controllers.map(({ signal }) => blocks.acquireAsync(signal));
    for (const i of [2, 0, 4]) {
      const reason = new Error(`no ${i}`);
      controllers[i]?.abort(reason);
      await expect(waits[i]).rejects.toBe(reason);
    }
    expect(blocks.stats().waiting).toBe(2);
    blocks.release(block);
    expect(await waits[1]).toBe(block);
    controllers[1]?.abort(); // too late to matter
    blocks.release(block);
    expect(await waits[3]).toBe(block);
    blocks.release(block);
    for (const { signal } of controllers) expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(blocks.stats()).toMatchObject({ waiting: 0, free: 1, blocks: 1 });
  });

  test('one signal may end any number of waits, with one listener', async () => {
    const blocks = pool({ blockSize: 10, max: 1 });
    blocks.acquire();
    const controller = new AbortController();
    const { signal } = controller;
    const listeners = () => getEventListeners(signal, 'abort').length;
    const waits = Array.from({ length: 30 }, () => blocks.acquireAsync(signal));
    expect(listeners()).toBe(1);
    controller.abort('all');
    const ends = await Promise.allSettled(waits);
    expect(ends).toEqual(waits.map(() => ({ status: 'rejected', reason: 'all' })));
    expect([listeners(), blocks.stats().waiting]).toEqual([0, 0]);
  });

  test('what only looks like a signal leaves nothing behind', async () => {
    const blocks = pool({ blockSize: 10, max: 1 });
    const block = blocks.acquire();
    const fake = Object.create(AbortSignal.prototype, { aborted: { value: false } });
    const wait = blocks.acquireAsync(fake).catch(({ code }) => code);
    blocks.release(block);
    const result = await wait;
    // From Node 24 on, it is as good as a signal.
    if (result !== 'ERR_INVALID_ARG_TYPE') blocks.release(result);
    expect(blocks.stats()).toMatchObject({ waiting: 0, free: 1, held: 0 });
  });

  test('what is no signal at all is refused', async () => {
    const blocks = pool({ blockSize: 10, max: 1 });
    for (const fake of [Object.create(AbortSignal.prototype), {}, null]) {
      await expect(blocks.acquireAsync(fake)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARG_TYPE',
      });
    }
    expect(blocks.stats()).toMatchObject({ blocks: 0, waiting: 0 });
  });

  test('a signal that has aborted before takes no block', async () => {
    const blocks = pool({ blockSize: 10 });
    await expect(blocks.acquireAsync(AbortSignal.abort('why'))).rejects.toBe('why');
    expect(blocks.stats().blocks).toBe(0);
  });

  test('rejects, and never throws', async () => {
    const blocks = new Pool({ blockSize: 10, max: 1 });
    for (const signal of [null, 5, {}, { aborted: false }, new AbortController()]) {
      await expect(blocks.acquireAsync(signal as Anything)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARG_TYPE',
      });
    }
    blocks.acquire();
    const waiting = [blocks.acquireAsync(), blocks.acquireAsync(new AbortController().signal)];
    blocks.destroy();
    for (const wait of [...waiting, blocks.acquireAsync()]) {
      await expect(wait).rejects.toMatchObject({ code: 'ERR_MIHEAP_DESTROYED' });
    }
  });

  if ('addAbortListener' in events) {
    test('an abort is heard where another listener stops the event', async () => {
      const blocks = pool({ blockSize: 10, max: 1, prefill: 1 });
      const held = blocks.acquire();
      const controller = new AbortController();
      const { signal } = controller;
      signal.addEventListener('abort', (event) => event.stopImmediatePropagation());
      const wait = blocks.acquireAsync(signal);
      controller.abort('stopped');
      blocks.release(held);
      await expect(wait).rejects.toBe('stopped');
      expect(blocks.stats()).toMatchObject({ free: 1, waiting: 0 });
    });
  }

  test('an abort event of a signal that has not aborted ends no wait', async () => {
    const blocks = pool({ blockSize: 64, max: 1 });
    const held = blocks.acquire();
    const controller = new AbortController();
    const { signal } = controller;
    const ends = Promise.allSettled([blocks.acquireAsync(signal), blocks.acquireAsync(signal)]);
    signal.dispatchEvent(new Event('abort'));
    expect(blocks.stats().waiting).toBe(2);
    blocks.release(held);
    controller.abort('why');
    expect(blocks.stats().waiting).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(await ends).toEqual([
      { status: 'fulfilled', value: held },
      { status: 'rejected', reason: 'why' },
    ]);
  });

  test('signals may do anything to the pool as they abort', async () => {
    const blocks = new Pool({ blockSize: 10, max: 1 });
    const block = blocks.acquire();
    const controller = new AbortController();
    let taken: Promise<Buffer> | undefined;
    controller.signal.addEventListener('abort', () => {
      blocks.release(block);
      taken = blocks.acquireAsync();
    });
    const wait = blocks.acquireAsync(controller.signal);
    controller.abort('late'); // releases first, so the block goes to `wait`
    expect(await wait).toBe(block);
    expect(blocks.stats().waiting).toBe(1);
    controller.signal.addEventListener('abort', () => {
      throw new Error('not called');
    });
    blocks.release(block);
    expect(await taken).toBe(block);
    blocks.destroy();

    const doomed = new Pool({ blockSize: 10, max: 1 });
    doomed.acquire();
    const destroyer = new AbortController();
    destroyer.signal.addEventListener('abort', () => doomed.destroy());
    const lost = doomed.acquireAsync(destroyer.signal);
    destroyer.abort('reason');
    await expect(lost).rejects.toMatchObject({ code: 'ERR_MIHEAP_DESTROYED' });
  });
});

describe('a detached block', () => {
  const detaching = Object.entries(detach);

  test.each(detaching)('by %s is replaced at its release', (_name, detachBy) => {
    const before = processStats().heldBlocks;
    const blocks = new Pool({ blockSize: 64, max: 1 });
    const block = blocks.acquire();
    const moved = detachBy(block.buffer as ArrayBuffer);
    expect(block.length).toBe(0);
    expect(codeOf(() => blocks.acquire())).toBe('ERR_MIHEAP_POOL_EXHAUSTED');
    blocks.release(block);
    expect(blocks.stats()).toMatchObject({ blocks: 0, lost: 1 });
    const next = blocks.acquire();
    expect(next).not.toBe(block);
    expect(next.length).toBe(64);
    expect(codeOf(() => blocks.release(block))).toBe('ERR_MIHEAP_NOT_OWNED');
    if (moved) expect(codeOf(() => blocks.release(moved))).toBe('ERR_MIHEAP_NOT_OWNED');
    blocks.destroy();
    expect(processStats().heldBlocks).toBeLessThanOrEqual(before + 1);
  });

  test.each(detaching)('by %s after its release is not handed out', (_name, detachBy) => {
    const blocks = pool({ blockSize: 64, max: 2, poison: true, prefill: 2 });
    const [one, two] = [blocks.acquire(), blocks.acquire()];
    for (const block of [one, two]) {
      blocks.release(block);
      detachBy(block.buffer as ArrayBuffer);
    }
    const next = [blocks.acquire(), blocks.acquire()];
    for (const block of next) expect(block.length).toBe(64);
    expect(blocks.stats()).toMatchObject({ blocks: 2, held: 2, lost: 2 });
  });

  test('makes room for one who waits', async () => {
    const blocks = pool({ blockSize: 64, max: 1 });
    const block = blocks.acquire();
    const wait = blocks.acquireAsync();
    detach['the addon']?.(block.buffer as ArrayBuffer);
    blocks.release(block.buffer as ArrayBuffer);
    expect((await wait).length).toBe(64);
    expect(blocks.stats()).toMatchObject({ blocks: 1, held: 1, waiting: 0, lost: 1 });
  });

  test('cannot hide it', () => {
    const blocks = pool({ blockSize: 64, max: 1 });
    const block = blocks.acquire();
    Object.defineProperties(block, {
      length: { value: 64 },
      buffer: { value: new ArrayBuffer(64) },
    });
    detach['the addon']?.(Reflect.get(Uint8Array.prototype, 'buffer', block) as ArrayBuffer);
    blocks.release(block);
    const next = blocks.acquire();
    expect(next).not.toBe(block);
    expect(next[0]).toBeDefined();
  });
});

describe('poison', () => {
  const options = { blockSize: 100, poison: true, name: 'careful' };

  test.each([0, 1, 50, 99])('finds a write to byte %i after release', (offset) => {
    const { heldBlocks } = processStats();
    const blocks = new Pool(options);
    const block = blocks.acquire();
    blocks.release(block);
    expect(new Set(block).size).toBe(1);
    block.writeUInt8(block.readUInt8(offset) ^ 1, offset);
    const error = thrownBy(() => blocks.acquire()) as Anything;
    expect([error.code, error.offset]).toEqual(['ERR_MIHEAP_WRITE_AFTER_RELEASE', offset]);
    expect(error.message).toContain('pool "careful"');
    expect(block.length).toBe(0);
    expect(blocks.stats()).toMatchObject({ blocks: 0, lost: 1 });
    expect(blocks.acquire().length).toBe(100);
    blocks.destroy();
    expect(processStats().heldBlocks).toBe(heldBlocks);
  });

  test('finds one at destroy, which destroys all the same', () => {
    const { heldBlocks } = processStats();
    const blocks = new Pool({ ...options, prefill: 3 });
    const block = blocks.acquire();
    blocks.release(block);
    block[5] = 0;
    expect(codeOf(() => blocks.destroy())).toBe('ERR_MIHEAP_WRITE_AFTER_RELEASE');
    expect(blocks.destroyed).toBe(true);
    blocks.destroy();
    expect(processStats().heldBlocks).toBe(heldBlocks);
  });

  test('rejects where one waits', async () => {
    const blocks = pool({ ...options, max: 1 });
    const block = blocks.acquire();
    blocks.release(block);
    block[0] = 1;
    await expect(blocks.acquireAsync()).rejects.toMatchObject({
      code: 'ERR_MIHEAP_WRITE_AFTER_RELEASE',
    });
    expect((await blocks.acquireAsync()).length).toBe(100);
  });

  test.each([1, 2, 64, 70_000])('lets blocks of %i bytes pass that were not', (blockSize) => {
    const blocks = pool({ blockSize, poison: true, prefill: 2 });
    for (let i = 0; i < 20; i++) {
      const held = [blocks.acquire(), blocks.acquire(), blocks.acquire()];
      for (const block of held) blocks.release(block.fill(i));
    }
    expect(blocks.stats()).toMatchObject({ blocks: 3, lost: 0 });
  });
});

describe('in a process of its own', () => {
  test.each(['1', '0'])('what is dropped comes back (external buffers: %s)', (external) => {
    const env = { ...checkedEnvironment(), MIHEAP_EXTERNAL_BUFFERS: external };
    const result = runProgram('pool-dropped', { flags: ['--expose-gc'], env });
    expect(result).toEqual({
      external: external === '1',
      lost: 20,
      blocksAfterLoss: 0,
      waiterServed: 64,
      heldAfterDrop: [0, 0],
      heldAfterTransfer: [0, 0],
      heldAfterWorkers: [0, 0],
    });
  });
});
