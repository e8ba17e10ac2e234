import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Heap, processStats, releaseToken, Token, TokenError } from '../../lib';
import { codeOf, runProgram, thrownBy } from './support';

// biome-ignore lint/suspicious/noExplicitAny: misuse is what the types forbid
type Anything = any;

let sender: Heap;
let receiver: Heap;
let before: [number, number];
const held = (): [number, number] => [processStats().heldBytes, processStats().heldBlocks];

beforeEach(() => {
  before = held();
  sender = new Heap();
  receiver = new Heap();
});
afterEach(async () => {
  sender.destroy();
  receiver.destroy();
  // What the collector had found already comes back in a turn of the event loop. So does garbage of
  // other tests: in the end there may be less.
  for (let turns = 0; turns < 100 && held()[0] > before[0]; turns++) await setTimeout(5);
  expect(held()[0]).toBeLessThanOrEqual(before[0]);
  expect(held()[1]).toBeLessThanOrEqual(before[1]);
});

describe('transfer', () => {
  test('moves a block, and what it holds, from heap to heap', () => {
    const buffer = sender.alloc(5000).fill(7);
    const view = buffer.subarray(100);
    const token = sender.transfer(view);
    expect([buffer.length, view.length, sender.stats().blocks]).toEqual([0, 0, 0]);
    expect(token).toBeInstanceOf(Token);
    expect(token.byteLength).toBe(5000);
    const adopted = receiver.adopt(structuredClone(token));
    expect(adopted.equals(Buffer.alloc(5000, 7))).toBe(true);
    expect(receiver.stats()).toMatchObject({ bytes: 5000, blocks: 1 });
    expect(codeOf(() => sender.free(adopted))).toBe('ERR_MIHEAP_NOT_OWNED');
    receiver.free(adopted);
  });

  test('outlives its heap', () => {
    const token = sender.transfer(sender.alloc(300_000).fill(3));
    sender.destroy();
    expect(receiver.adopt(token).every((byte) => byte === 3)).toBe(true);
  });

  test('gives a block that can be resized, keeps its alignment, and can go on', () => {
    let buffer = sender.alloc(100, { align: sender.external ? 256 : 8 }).fill(5);
    for (let size = 200; size < 2_000_000; size *= 3) {
      buffer = receiver.adopt(sender.transfer(buffer));
      buffer = receiver.realloc(buffer, size);
      expect(buffer.subarray(0, 100).equals(Buffer.alloc(100, 5))).toBe(true);
      buffer = sender.adopt(receiver.transfer(buffer.buffer as ArrayBuffer));
    }
  });

  test('token can be adopted once', () => {
    const token = sender.transfer(sender.alloc(10));
    const clones = [structuredClone(token), structuredClone(token)] as const;
    receiver.adopt(clones[0]);
    for (const used of [token, ...clones]) {
      expect(codeOf(() => receiver.adopt(used))).toBe('ERR_MIHEAP_TOKEN');
      expect(releaseToken(used)).toBe(false);
    }
    expect(thrownBy(() => sender.adopt(token))).toBeInstanceOf(TokenError);
  });

  test('token that is released gives the memory back', () => {
    before = held();
    const token = sender.transfer(sender.alloc(1000));
    expect(held()).toEqual([before[0] + 1000, before[1] + 1]);
    expect(token.release()).toBe(true);
    expect(held()).toEqual(before);
    expect(token.release()).toBe(false);
    expect(codeOf(() => receiver.adopt(token))).toBe('ERR_MIHEAP_TOKEN');
  });

  test('of a buffer of no bytes', () => {
    const buffer = sender.alloc(0);
    const token = sender.transfer(buffer);
    expect(codeOf(() => sender.free(buffer))).toBe('ERR_MIHEAP_ALREADY_FREED');
    const adopted = receiver.adopt(token);
    expect([adopted.length, receiver.owns(adopted), receiver.stats().blocks]).toEqual([0, true, 0]);
    expect(codeOf(() => receiver.adopt(token))).toBe('ERR_MIHEAP_TOKEN');
  });
});

describe('share', () => {
  test('gives any number of buffers over the same memory, freed with the last', () => {
    before = held();
    const buffer = sender.alloc(5000).fill(7);
    const token = sender.share(buffer);
    const adopted = [receiver.adopt(token), receiver.adopt(structuredClone(token))] as const;
    const mine = sender.adopt(token);
    if (sender.external) {
      adopted[0][4999] = 9;
      for (const other of [buffer, adopted[1], mine]) expect(other[4999]).toBe(9);
      expect(held()).toEqual([before[0] + 5000, before[1] + 1]);
    }
    expect(receiver.stats()).toMatchObject({ bytes: 10_000, blocks: 2 });
    sender.free(buffer);
    receiver.free(adopted[0]);
    expect(codeOf(() => receiver.free(adopted[0]))).toBe('ERR_MIHEAP_ALREADY_FREED');
    expect(codeOf(() => receiver.free(mine))).toBe('ERR_MIHEAP_NOT_OWNED');
    sender.free(mine);
    expect(adopted[1][0]).toBe(7);
    receiver.free(adopted[1]);
    expect(held()).toEqual([before[0] + 5000, before[1] + 1]); // the token's
    expect(token.release()).toBe(true);
    expect(held()).toEqual(before);
  });

  test('keeps what others see when one side reallocates or transfers its buffer', () => {
    const buffer = sender.alloc(100).fill(1);
    const token = sender.share(buffer);
    const other = receiver.adopt(token);
    token.release();
    const resized = sender.realloc(buffer, 50).fill(2);
    expect(other.equals(Buffer.alloc(100, 1))).toBe(true);
    sender.free(resized);
    const moved = sender.adopt(receiver.transfer(other));
    expect(moved.equals(Buffer.alloc(100, 1))).toBe(true);
    expect(sender.realloc(moved, 1000).subarray(0, 100).equals(Buffer.alloc(100, 1))).toBe(true);
  });

  test('can be repeated, and each token is its own', () => {
    const buffer = sender.alloc(100).fill(1);
    const tokens = [sender.share(buffer), sender.share(buffer)] as const;
    sender.free(buffer);
    tokens[0].release();
    const adopted = receiver.adopt(tokens[1]);
    tokens[1].release();
    expect(adopted.equals(Buffer.alloc(100, 1))).toBe(true);
  });

  test('can be adopted many times where it came from; each buffer is freed as such, in any order', () => {
    const first = sender.alloc(1000);
    const token = sender.share(first);
    const adopted = Array.from({ length: 1000 }, () => sender.adopt(token));
    token.release();
    // 1000 and 7 have no common factor: each is visited once.
    adopted.forEach((_, i) => {
      sender.free(adopted[(i * 7) % 1000] as Buffer);
      const left = adopted.filter((buffer) => buffer.length > 0);
      expect([left.length, first.length, sender.stats().blocks]).toEqual([999 - i, 1000, 1000 - i]);
    });
    expect(codeOf(() => sender.free(adopted[0] as Buffer))).toBe('ERR_MIHEAP_ALREADY_FREED');
    sender.free(first);
    expect([first.length, sender.stats().blocks]).toEqual([0, 0]);
  });

  test.each([
    ['the oldest first', (buffers: Buffer[]) => buffers],
    ['the newest first', (buffers: Buffer[]) => buffers.reverse()],
  ])('can be adopted many times, and freeing them takes no time that grows: %s', (_, order) => {
    function time(count: number) {
      const token = sender.share(sender.alloc(1000));
      const buffers = order(Array.from({ length: count }, () => receiver.adopt(token)));
      const started = performance.now();
      for (const buffer of buffers) receiver.free(buffer);
      token.release();
      return performance.now() - started;
    }
    const best = (count: number) => Math.min(time(count), time(count), time(count));
    // 16 times as many: 256 times as long if each was searched for among all.
    expect(best(16_000)).toBeLessThan(100 * best(1000));
  });

  test('of a buffer of no bytes', () => {
    const token = sender.share(sender.alloc(0));
    expect([receiver.adopt(token).length, sender.adopt(token).length]).toEqual([0, 0]);
    expect(token.release()).toBe(true);
  });
});

test('an adopted block counts for the limit of its new heap; past that, it can still be adopted', () => {
  const limited = new Heap({ limit: 1000 });
  const kept = limited.alloc(500);
  const shared = sender.alloc(501);
  for (const token of [sender.transfer(sender.alloc(501)), sender.share(shared)]) {
    const error = thrownBy(() => limited.adopt(token));
    expect(error).toMatchObject({ code: 'ERR_MIHEAP_LIMIT', requested: 501, liveBytes: 500 });
    expect(receiver.adopt(token).length).toBe(501);
    token.release();
  }
  limited.free(kept);
  sender.free(shared);
});

test('an attempt to adopt that fails is not noticed by other threads', () => {
  expect(runProgram('failing-adopt')).toEqual({
    released: 500,
    adopted: 500,
    answers: ['Limit', 'NoToken'],
    heldBytes: 0,
  });
});

describe('what is no token', () => {
  test.each([[undefined], [null], [5], ['text'], [{}], [{ id: 5 }], [Symbol('id')], [() => 0]])(
    '%p has the wrong type',
    (value) => {
      for (const action of [
        (h: Anything) => h.adopt(value),
        () => releaseToken(value as Anything),
      ]) {
        const error = thrownBy(() => action(receiver));
        expect(error).toBeInstanceOf(TypeError);
        expect(error?.code).toBe('ERR_INVALID_ARG_TYPE');
      }
    },
  );

  test('or a forged one changes nothing', () => {
    const token = sender.transfer(sender.alloc(10));
    const digit = token.id.endsWith('0') ? '1' : '0';
    const forged = [
      // The same, but for what is above eight bits of each letter.
      token.id.replace(/./g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0x100)),
      '',
      'f'.repeat(32),
      'f'.repeat(1000),
      token.id.slice(1),
      token.id.slice(1) + digit,
    ];
    for (const id of [...forged, token.id.toUpperCase().replace(/^/, ' '), '\u0130'.repeat(32)]) {
      expect(codeOf(() => receiver.adopt({ id, byteLength: 10 }))).toBe('ERR_MIHEAP_TOKEN');
      expect(releaseToken({ id, byteLength: 10 })).toBe(false);
    }
    expect(receiver.stats().allocated).toBe(0);
    expect(receiver.adopt(token).length).toBe(10);
  });

  test('or says other things than it is, is not believed', () => {
    const { id } = sender.transfer(sender.alloc(10));
    expect(receiver.adopt({ id, byteLength: 1_000_000 }).length).toBe(10);
  });
});

test('the ids of a thousand tokens differ', () => {
  const ids = Array.from({ length: 1000 }, () => sender.transfer(sender.alloc(0)));
  expect(new Set(ids.map(({ id }) => id)).size).toBe(1000);
  for (const token of ids) token.release();
});

test('what cannot be freed cannot be offered', () => {
  const freed = sender.alloc(10);
  sender.free(freed);
  const foreign = receiver.alloc(10);
  for (const offer of ['transfer', 'share'] as const) {
    expect(codeOf(() => sender[offer](freed))).toBe('ERR_MIHEAP_ALREADY_FREED');
    expect(codeOf(() => sender[offer](Buffer.alloc(10)))).toBe('ERR_MIHEAP_NOT_OWNED');
    expect(codeOf(() => sender[offer](foreign))).toBe('ERR_MIHEAP_NOT_OWNED');
    expect(codeOf(() => sender[offer]('text' as Anything))).toBe('ERR_INVALID_ARG_TYPE');
  }
  // Were it garbage instead, its memory might wait for the collector, which may have seen it already.
  receiver.free(foreign);
});

test('a token whose id destroys the heap finds it destroyed, and stays', () => {
  const token = sender.transfer(sender.alloc(10));
  const trap = {
    get id() {
      receiver.destroy();
      return token.id;
    },
    byteLength: 10,
  };
  expect(codeOf(() => receiver.adopt(trap))).toBe('ERR_MIHEAP_DESTROYED');
  expect(token.release()).toBe(true);
});
