// Runs workloads under several allocators, side by side, and says how they compare.
//
//   node bench/run.mjs [OPTION...]
//
//   --only REGEX            only the workloads (with --scaling: the curves) whose name matches
//   --rounds N              how often each runs under each allocator (5); medians are shown
//   --size N, --threads N   arguments for our own workloads, in place of their defaults
//   --quick                 everything once and small, to see that it works
//   --lib FILE              the library to measure (default: what `miheap lib` prints)
//   --peers LIST            of mimalloc,jemalloc,tcmalloc,tbbmalloc, or none (default: all there are)
//   --allocator NAME=FILE   one more library; can be repeated
//   --instructions          no times, but instructions, counted by callgrind: those of malloc and of free
//                           by size, and those of all single-threaded workloads that match, small
//   --scaling               no workloads, but how the cost of an operation grows with live blocks,
//                           threads and heap
//   --json FILE             also write all samples there, for bench/report.mjs
import { writeFileSync } from 'node:fs';
import { findAllocators } from './runner/allocators.mjs';
import { ownWorkloads } from './runner/catalogue.mjs';
import { compare } from './runner/compare.mjs';
import { compileAll } from './runner/compile.mjs';
import { fail } from './runner/fail.mjs';
import { countFastPaths, countWorkloads } from './runner/instructions.mjs';
import { machine } from './runner/machine.mjs';
import { parseOptions, patternOf } from './runner/options.mjs';
import { realPrograms } from './runner/programs.mjs';
import { progress } from './runner/progress.mjs';
import { measureScaling } from './runner/scaling.mjs';
import { printResults, printScaling } from './runner/table.mjs';

const { values: options } = parseOptions(import.meta.url, {
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string' },
    size: { type: 'string' },
    threads: { type: 'string' },
    quick: { type: 'boolean', default: false },
    lib: { type: 'string' },
    peers: { type: 'string' },
    allocator: { type: 'string', multiple: true },
    instructions: { type: 'boolean', default: false },
    scaling: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

const rounds = Number(options.rounds ?? (options.quick ? 1 : 5));
if (!(Number.isInteger(rounds) && rounds > 0)) fail('--rounds takes a positive number');
const allocators = findAllocators(options);
const compiled = compileAll();

const only = patternOf('only', options.only);
const own = (sizes) =>
  ownWorkloads(sizes)
    .filter(({ name }) => only.test(name))
    .map((row) => ({ ...row, command: [compiled(row.program), ...row.args] }));

function save(found) {
  writeFileSync(options.json, `${JSON.stringify(found)}\n`);
}

if (options.instructions) {
  const small = own({ ...options, threads: '1', quick: true });
  const counted = {
    fastPaths: countFastPaths(compiled('fast-path'), allocators),
    workloads: countWorkloads(
      small.filter((row) => row.singleThread),
      allocators,
    ),
  };
  if (options.json !== undefined) save(counted);
  process.exit();
}

if (options.scaling) {
  const scaling = measureScaling(compiled('scaling'), allocators, {
    rounds,
    quick: options.quick,
    only,
  });
  if (options.json !== undefined) save({ scaling });
  printScaling(scaling);
  process.exit();
}

const workloads = [...own(options), ...realPrograms(options, only)];
if (workloads.length === 0) fail('--only matches no workload');

const results = {
  machine: machine(),
  rounds,
  allocators: allocators.map(({ name }) => name),
  workloads: [],
  failures: [],
};
for (const [i, workload] of workloads.entries()) {
  progress.at(i, workloads.length);
  if (workload.missing !== undefined) {
    progress.print(`${workload.name} is skipped: ${workload.missing}`);
    continue;
  }
  const { samples, failures } = compare(compiled('launch'), workload, allocators, rounds);
  const { name, counts, memory, live } = workload;
  results.workloads.push({ name, counts, memory, live, samples });
  results.failures.push(...failures);
  // After each workload: a run takes long, and may be stopped.
  if (options.json !== undefined) save(results);
}
progress.end();

console.log(`${results.machine}; ${rounds} rounds`);
printResults(results);
// What a system's library does wrong is its own affair.
const theirs = allocators.filter(({ peer }) => peer).map(({ name }) => name);
if (results.failures.some(({ allocator }) => !theirs.includes(allocator))) process.exitCode = 1;
