// How the cost of an operation grows with the live blocks, the threads and the heap.
import { spawnSync } from 'node:child_process';
import { fail } from './fail.mjs';
import { clean } from './measure.mjs';
import { progress } from './progress.mjs';
import { median } from './summary.mjs';

/**
 * `args` of support/scaling.c for each point: live blocks, their least and largest size, threads.
 */
export const curves = [
  {
    file: 'blocks',
    name: 'live blocks of 64 bytes',
    points: [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000],
    args: (live) => [live, 64, 64, 1],
    operations: 1_000_000,
  },
  {
    file: 'threads',
    name: 'threads, 100 000 live blocks in all',
    points: [1, 3, 10, 30, 100],
    args: (threads) => [100_000, 64, 64, threads],
    operations: 1_000_000,
  },
  {
    file: 'heap',
    name: 'heap in MiB, blocks of 1 to 32 KiB',
    points: [3, 10, 30, 100, 300, 1000],
    args: (mib) => [mib * 64, 1 << 10, 31 << 10, 1],
    operations: 300_000,
  },
];

function runOnce(program, args, library) {
  const env = { ...clean, ...(library && { LD_PRELOAD: library, BENCH_LIBRARY: library }) };
  const { status, stdout, stderr } = spawnSync(program, args.map(String), {
    env,
    encoding: 'utf8',
    timeout: 300_000,
  });
  if (status !== 0) fail(`scaling with ${library ?? 'glibc'}: ${stderr}`);
  const [control, cost] = stdout.split(' ').map(Number);
  return { control, cost };
}

/** @returns one entry for each curve, point and allocator, in nanoseconds per operation */
export function measureScaling(program, allocators, { rounds, quick, only }) {
  const found = [];
  const wanted = curves.filter(({ name }) => only.test(name));
  for (const [at, { name, points, args, operations }] of wanted.entries()) {
    progress.at(at, wanted.length);
    for (const point of quick ? points.slice(0, 3) : points) {
      const samples = allocators.map(() => []);
      for (let round = 0; round < rounds; round++) {
        for (let i = 0; i < allocators.length; i++) {
          const which = (i + round) % allocators.length;
          progress.show(`${point} ${name}, round ${round + 1}, ${allocators[which].name}`);
          const count = quick ? operations / 100 : operations;
          samples[which].push(runOnce(program, [...args(point), count], allocators[which].library));
        }
      }
      for (const [i, each] of samples.entries()) {
        found.push({
          curve: name,
          point,
          allocator: allocators[i].name,
          control: median(each.map(({ control }) => control)),
          cost: median(each.map(({ cost }) => cost)),
        });
      }
    }
  }
  progress.end();
  return found;
}

/** By how much more than the control the cost grows from each point to the one ten times as far. */
export function growth(scaling, curve, allocator) {
  const points = scaling.filter((each) => each.curve === curve && each.allocator === allocator);
  return points.flatMap((to) => {
    const from = points.find(({ point }) => point * 10 === to.point);
    if (from === undefined) return [];
    // A control that becomes faster is noise, or threads that share out what one could not cache.
    const caches = Math.max(1, to.control / from.control);
    return [{ from: from.point, to: to.point, ratio: to.cost / from.cost / caches }];
  });
}
