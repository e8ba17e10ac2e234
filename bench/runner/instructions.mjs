// Instructions instead of seconds: the same on every run, whatever else the machine does.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail } from './fail.mjs';
import { clean } from './measure.mjs';
import { progress } from './progress.mjs';
import { printTable } from './table.mjs';

const sizes = [8, 16, 64, 256, 1024, 4096, 16384, 65536, 1 << 20];
const patterns = { pair: 'one block at a time', batch: 'a hundred blocks, newest freed first' };
// What starting the process and its first blocks cost is in the first count and in both.
const [first, both] = [20_000, 60_000];

/** Runs a command under callgrind; returns the text of its output file, undefined if the command failed. */
function callgrind(command, library) {
  const folder = mkdtempSync(join(tmpdir(), 'miheap-bench-'));
  const file = join(folder, 'callgrind.out');
  const args = ['--tool=callgrind', '--compress-strings=no', '--compress-pos=no'];
  const env = { ...clean, LC_ALL: 'C', ...(library && { LD_PRELOAD: library }) };
  try {
    const run = spawnSync('valgrind', [...args, `--callgrind-out-file=${file}`, ...command], {
      env,
      encoding: 'utf8',
      timeout: 600_000,
    });
    if (run.error !== undefined) fail('--instructions needs valgrind');
    return run.status === 0 ? readFileSync(file, 'utf8') : undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The instructions of all calls from one function, with everything below them. */
function calledFrom(text, caller) {
  let inside = false;
  let isCall = false;
  let sum = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith('fn=')) inside = line === `fn=${caller}`;
    else if (inside && isCall) sum += Number(line.split(' ')[1]);
    isCall = line.startsWith('calls=');
  }
  return sum;
}

function fastPath(program, library, size, pattern) {
  const [before, after] = [first, both].map((count) => {
    const text = callgrind([program, String(size), String(count), pattern], library);
    if (text === undefined) fail(`fast-path fails under valgrind with ${library ?? 'glibc'}`);
    return { malloc: calledFrom(text, 'allocate'), free: calledFrom(text, 'release') };
  });
  const perCall = (name) => (after[name] - before[name]) / (both - first);
  return { malloc: perCall('malloc'), free: perCall('free') };
}

const bytes = (n) => (n < 1024 ? `${n} B` : n < 1 << 20 ? `${n >> 10} KiB` : `${n >> 20} MiB`);
const digits = (n) => (n < 1000 ? n.toFixed(1) : n.toFixed(0));

/** What malloc and free cost by size, averaged over many calls: slow paths have their share. */
export function countFastPaths(program, allocators) {
  const names = allocators.map(({ name }) => name);
  const found = {};
  for (const [pattern, description] of Object.entries(patterns)) {
    const rows = sizes.map((size) => ({
      size,
      counts: allocators.map(({ name, library }) => {
        progress.show(`instructions, ${pattern} of ${bytes(size)}, ${name}`);
        return fastPath(program, library, size, pattern);
      }),
    }));
    progress.end();
    console.log(`\ninstructions of a malloc + of its free, ${description}`);
    const cell = ({ malloc, free }) => `${digits(malloc)} + ${digits(free)}`;
    printTable(
      ['', ...names],
      rows.map(({ size, counts }) => [bytes(size), ...counts.map(cell)]),
    );
    found[pattern] = rows.map(({ size, counts }) => ({
      size,
      ...Object.fromEntries(names.map((name, i) => [name, counts[i]])),
    }));
  }
  const small = found.batch.find(({ size }) => size === 64).miheap;
  const sum = small.malloc + small.free;
  console.log(
    `\n${sum <= 20 ? 'holds ' : 'MISSED'}  a hot pair of a small size takes at most 20: ${digits(sum)}`,
  );
  return found;
}

/** What whole workloads take, small and on one thread. */
export function countWorkloads(workloads, allocators) {
  const names = allocators.map(({ name }) => name);
  const rows = workloads.map(({ name, command }) => [
    name,
    ...allocators.map((allocator) => {
      progress.show(`instructions, ${name}, ${allocator.name}`);
      const text = callgrind(command, allocator.library);
      return text && Number(/^(?:totals|summary): (\d+)/m.exec(text)[1]);
    }),
  ]);
  progress.end();
  if (rows.length === 0) return rows;
  console.log('\nmillions of instructions, whole processes');
  printTable(
    ['', ...names],
    rows.map(([name, ...totals]) => [
      name,
      ...totals.map((total) => (total ? digits(total / 1e6) : 'failed')),
    ]),
  );
  return rows;
}
