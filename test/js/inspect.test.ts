import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { Heap, Pool, Region } from '../../lib';

describe.each([
  [
    () => new Heap({ name: 'a', limit: 100 }),
    "Heap { name: 'a', limit: 100, bytes: 0, blocks: 0 }",
    "Heap { name: 'a', limit: 100, destroyed: true }",
  ],
  [
    () => new Pool({ blockSize: 8, max: 2 }),
    /^Pool \{\s+name: '',\s+blockSize: 8,\s+max: 2,\s+blocks: 0,\s+held: 0,/,
    "Pool { name: '', blockSize: 8, max: 2, destroyed: true }",
  ],
  [
    () => new Region({ chunkSize: 4096 }),
    /^Region \{\s+name: '',\s+chunkSize: 4096,\s+limit: Infinity,\s+bytes: 0,\s+used: 0,/,
    "Region { name: '', chunkSize: 4096, limit: Infinity, destroyed: true }",
  ],
])('util.inspect', (make, live, destroyed) => {
  test('shows what it holds, and that it was destroyed', () => {
    const instance = make();
    expect(inspect(instance)).toEqual(expect.stringMatching(live));
    instance.destroy();
    expect(inspect(instance)).toBe(destroyed);
  });

  test('shows the class alone where it is too deep', () => {
    const instance = make();
    const { name } = instance.constructor;
    expect(inspect({ instance }, { depth: 0 })).toBe(`{ instance: [${name}] }`);
    expect(inspect(new Proxy(instance, {}))).toContain(name);
    expect(() => inspect(instance.constructor.prototype)).not.toThrow();
    instance.destroy();
  });
});

test('util.inspect shows the name of a derived class', () => {
  class Frames extends Heap {}
  using frames = new Frames({ name: 'f' });
  frames.alloc(10);
  expect(inspect(frames)).toBe("Frames { name: 'f', limit: Infinity, bytes: 10, blocks: 1 }");
});
