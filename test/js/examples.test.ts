// Every example, small: what it says must be right, and it must end by itself.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from './support';

const folder = join(root, 'examples');

function example<T>(name: string, ...args: string[]): T {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, name), ...args], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

test('all examples are tested', () => {
  expect(readdirSync(folder).sort()).toEqual([
    'cache.mjs',
    'fan-out.mjs',
    'frames.mjs',
    'server.mjs',
  ]);
});

test('the pipeline makes of pooled frames what it makes of Buffers', () => {
  const small = ['--frames', '12', '--width', '320', '--height', '240'];
  const [pool, buffer] = ['pool', 'buffer'].map((memory) =>
    example<{ frames: number; hash: string }>('frames.mjs', ...small, '--memory', memory),
  );
  expect(pool?.frames).toBe(12);
  expect(pool?.hash).toMatch(/^[0-9a-f]{64}$/);
  expect(pool?.hash).toBe(buffer?.hash);
});

test('the server answers every request, and keeps nothing', () => {
  expect(example('server.mjs', '--requests', '60')).toEqual({
    requests: 60,
    right: 60,
    statusOfTooLarge: 413,
    heldBytes: 0,
  });
});

test('the cache finds what the same cache in Buffers finds', () => {
  interface Side {
    hits: number;
    bytes: number;
    longestPause: number;
  }
  const { heap, buffer } = example<{ heap: Side; buffer: Side }>(
    'cache.mjs',
    ...['--megabytes', '4', '--operations', '5000'],
  );
  expect(heap.hits).toBeGreaterThan(100);
  expect([heap.hits, heap.bytes]).toEqual([buffer.hits, buffer.bytes]);
  expect(heap.bytes).toBeLessThanOrEqual(4 * 2 ** 20);
  expect(heap.bytes).toBeGreaterThan(3.9 * 2 ** 20);
  expect(heap.longestPause).toBeGreaterThanOrEqual(0);
});

test('workers share one buffer', () => {
  expect(example('fan-out.mjs', '--megabytes', '4', '--workers', '3')).toEqual({
    workers: 3,
    right: true,
    copies: process.env.MIHEAP_EXTERNAL_BUFFERS === '0' ? expect.any(Number) : 1,
    bytes: 4 * 2 ** 20,
    heldBytes: 0,
  });
});
