import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { root } from '../js/support';

interface Results {
  allocators: string[];
  workloads: { name: string; samples: Record<string, { wall: number; peak: number }[]> }[];
  failures: { name: string; allocator: string; error: string }[];
}

let folder: string;
let results: Results;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'miheap-bench-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function script(name: string, ...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [join(root, 'bench', name), ...args], { encoding: 'utf8' });
}

const quickly = (...args: string[]) => script('run.mjs', '--quick', '--peers', 'none', ...args);

test('every workload does under miheap what it does under glibc', () => {
  const file = join(folder, 'results.json');
  const { status, stdout, stderr } = quickly('--json', file);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^hello .*\d/m);

  results = JSON.parse(readFileSync(file, 'utf8'));
  expect(results.failures).toEqual([]);
  expect(results.allocators).toEqual(['glibc', 'miheap']);
  for (const { name, samples } of results.workloads) {
    for (const allocator of results.allocators) {
      const [sample] = samples[allocator] ?? [];
      expect({ name, allocator, ran: (sample?.wall ?? 0) > 0 && (sample?.peak ?? 0) > 0 }).toEqual({
        name,
        allocator,
        ran: true,
      });
    }
  }
}, 180_000);

test('every program in bench/workloads is in the catalogue', () => {
  const programs = readdirSync(join(root, 'bench', 'workloads'))
    .filter((name) => !name.endsWith('.h'))
    .map((name) => basename(name).replace(/\.(c|cpp)$/, ''));
  const catalogue = readFileSync(join(root, 'bench', 'runner', 'catalogue.mjs'), 'utf8');
  for (const name of programs) expect(catalogue).toMatch(new RegExp(`'${name}'`));
});

test('results can be shown again and drawn', () => {
  const curves = join(folder, 'curves.json');
  const scaling = quickly('--scaling', '--json', curves);
  expect({ status: scaling.status, stderr: scaling.stderr }).toEqual({ status: 0, stderr: '' });
  expect(scaling.stdout).toMatch(/miheap: ten times as much costs at most [\d.]+x more/);

  const file = join(folder, 'results.json');
  const plots = join(folder, 'plots');
  const { status, stdout, stderr } = script('report.mjs', '--plots', plots, file, curves);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  for (const { name } of results.workloads) expect(stdout).toContain(name);
  expect(readdirSync(plots).sort()).toEqual([
    'memory.svg',
    'scaling-blocks.svg',
    'scaling-heap.svg',
    'scaling-threads.svg',
    'time.svg',
  ]);
  expect(readFileSync(join(plots, 'time.svg'), 'utf8')).toMatch(/^<svg .*miheap.*<\/svg>\n$/s);
});

test('a library that the loader ignores is an error', () => {
  const { status, stdout } = quickly('--only', '^hello$', '--allocator', `broken=${__filename}`);
  expect(status).toBe(1);
  expect(stdout).toContain('hello failed with broken: the library is not loaded');
});

test('a library that is loaded but brings no malloc is an error', () => {
  const libm = /libm\.so\.6 .*=> (.+)/.exec(
    spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }).stdout,
  )?.[1];
  const { status, stdout } = quickly('--only', '^hello$', '--allocator', `none=${libm}`);
  expect(status).toBe(1);
  expect(stdout).toContain('hello failed with none: exit code 1: wrong: malloc is not that of');
});

test.each([
  [['--allocator', 'nonsense'], '--allocator takes NAME=FILE'],
  [['--allocator', 'gone=/nowhere.so'], 'no such library: /nowhere.so'],
  [['--peers', 'dlmalloc'], '--peers takes none or some of mimalloc'],
  [['--only', 'no such workload'], '--only matches no workload'],
  [['--rounds', '0'], '--rounds takes a positive number'],
  [['--round', '3'], "Unknown option '--round'; --help shows the options"],
  [['--only', '('], '--only takes a regular expression'],
])('%j is refused', (args, message) => {
  const { status, stderr } = quickly(...args);
  expect(status).toBe(1);
  expect(stderr).toContain(`bench: ${message}`);
});

test.each(['run.mjs', 'node.mjs', 'report.mjs'])('%s says what it can do', (name) => {
  const { status, stdout } = script(name, '--help');
  expect(status).toBe(0);
  expect(stdout).toContain(`node bench/${name} [`);
  expect(stdout).not.toContain('import');
});
