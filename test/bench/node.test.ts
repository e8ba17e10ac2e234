import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from '../js/support';

test('bench:node prints each row beside its target, and writes the same as JSON', () => {
  const folder = mkdtempSync(join(tmpdir(), 'miheap-bench-node-'));
  try {
    const file = join(folder, 'results.json');
    const args = [join(root, 'bench', 'node.mjs'), '--quick', '--json', file];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const results = JSON.parse(readFileSync(file, 'utf8'));
    expect(results.node).toBe(process.versions.node);
    expect(stdout).toContain(`${results.machine}; ${process.arch}`);
    expect(results.speed.length).toBe(17);
    for (const { our, size, ours, theirs, ratio } of results.speed) {
      expect([typeof our, typeof size]).toEqual(['string', 'number']);
      expect(stdout).toContain(our);
      expect(ratio).toBeCloseTo(theirs / ours);
    }
    expect(results.speed.filter(({ target }: { target: unknown }) => target !== null).length).toBe(
      14,
    );
    expect(results.examples.map(({ name }: { name: string }) => name)).toEqual(['frames', 'cache']);
    for (const { peakRss } of results.examples) expect(peakRss.ours).toBeGreaterThan(10_000_000);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
