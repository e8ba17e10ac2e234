// Prints what malloc and free cost on glibc and on miheap, side by side.
//
//   node bench/run.mjs                   nanoseconds per operation and peak memory
//   node bench/run.mjs --instructions    instructions per operation, counted by valgrind
//
//   --peers            also mimalloc, jemalloc and tcmalloc, where the system has them
//   --only PATTERN     one pattern of malloc-free.c
//   --rounds N         how often each case runs on each allocator (5)
//   --lib FILE         the library to measure (default: what `miheap lib` prints)
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const millisecondsPerRun = 60;
const cases = {
  pair: [16, 64, 256, 1024, 4096, 16384, 65536],
  lifo: [16, 128, 1024, 8192],
  fifo: [16, 128, 1024, 8192],
  random: [16, 128, 1024, 8192],
  calloc: [64, 1024, 16384],
  realloc: [4096, 1 << 20],
  large: [256 << 10, 1 << 20, 4 << 20, 8 << 20],
  handoff: [64, 1024],
  churn: [256, 4096],
};
// Where an operation holds one small block, there is no memory to speak of.
const holding = ['lifo', 'fifo', 'random', 'large', 'handoff', 'churn'];
// Instructions of one thread are repeatable; those of two depend on who waits for whom.
const countable = ['pair', 'lifo', 'fifo', 'random', 'calloc', 'realloc'];
const peers = {
  mimalloc: 'libmimalloc.so.2',
  jemalloc: 'libjemalloc.so.2',
  tcmalloc: 'libtcmalloc_minimal.so.4',
};

const { values: options } = parseArgs({
  options: {
    instructions: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    lib: { type: 'string' },
  },
});

function fail(message) {
  console.error(`bench: ${message}`);
  process.exit(1);
}

function ourLibrary() {
  if (options.lib) return resolve(options.lib);
  const cli = join(here, '..', 'dist', 'cli.js');
  if (!existsSync(cli)) fail('not built yet: run `npm run build`, or name the library with --lib');
  return execFileSync(process.execPath, [cli, 'lib'], { encoding: 'utf8' }).trim();
}

function systemLibrary(name) {
  const known = execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  return known.match(new RegExp(`^\\s+${name} .*=> (.+)$`, 'm'))?.[1];
}

function allocators() {
  const found = [
    { name: 'glibc', library: undefined },
    { name: 'miheap', library: ourLibrary() },
  ];
  if (!existsSync(found[1].library)) fail(`no such library: ${found[1].library}`);
  for (const [name, file] of Object.entries(options.peers ? peers : {})) {
    const library = systemLibrary(file);
    if (library) found.push({ name, library });
    else console.log(`${name} is left out: this system has no ${file}`);
  }
  return found;
}

function run(command, args, { library }) {
  const env = { ...process.env, LC_ALL: 'C' };
  delete env.LD_PRELOAD;
  if (library) env.LD_PRELOAD = library;
  const { status, signal, stdout, stderr } = spawnSync(command, args, { env, encoding: 'utf8' });
  if (status !== 0 || stderr.includes('cannot be preloaded')) {
    fail(
      `${args.join(' ')} with ${library ?? 'glibc'}: ${signal ?? `exit code ${status}`}\n${stderr}`,
    );
  }
  return stdout;
}

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];
const size = (n) => (n < 1024 ? `${n}` : n < 1 << 20 ? `${n >> 10}K` : `${n >> 20}M`);
const digits = (n) => (n < 100 ? n.toFixed(1) : n.toFixed(0));

function print(title, rows, columns, format) {
  const width = Math.max(9, ...columns.map((name) => name.length + 2));
  const cells = (values) => values.map((value) => value.padStart(width)).join('');
  const ratios = columns.slice(1).map((name) => `${name}/${columns[0]}`);
  console.log(`\n${title}`);
  const heading = cells(columns) + ratios.map((name) => name.padStart(name.length + 3)).join('');
  console.log(`${'pattern'.padEnd(9)}${'size'.padStart(6)}${heading}`);
  for (const { pattern, bytes, values } of rows) {
    const compared = values
      .slice(1)
      .map((value, i) => (value / values[0]).toFixed(2).padStart(ratios[i].length + 3));
    const line = cells(values.map(format)) + compared.join('');
    console.log(`${pattern.padEnd(9)}${size(bytes).padStart(6)}${line}`);
  }
}

function measureTime(program, all, plan) {
  const samples = plan.map(() => all.map(() => ({ time: [], memory: [] })));
  for (let round = 0; round < Number(options.rounds); round++) {
    plan.forEach(({ pattern, bytes }, row) => {
      // A different one goes first each round: the machine's speed drifts.
      for (let i = 0; i < all.length; i++) {
        const which = (i + round) % all.length;
        const args = [pattern, `${bytes}`, 'time', `${millisecondsPerRun}`];
        const [time, memory] = run(program, args, all[which]).split(' ').map(Number);
        samples[row][which].time.push(time);
        samples[row][which].memory.push(memory);
      }
    });
  }
  const columns = all.map(({ name }) => name);
  const rows = plan.map((entry, row) => ({ ...entry, samples: samples[row] }));
  const table = (title, wanted, key, format) => {
    const medians = ({ samples, ...entry }) => ({
      ...entry,
      values: samples.map((sample) => median(sample[key])),
    });
    if (wanted.length > 0) print(title, wanted.map(medians), columns, format);
  };
  table('nanoseconds per operation (median)', rows, 'time', digits);
  const held = rows.filter(({ pattern }) => holding.includes(pattern));
  table('peak resident memory, MiB (median)', held, 'memory', (kb) => digits(kb / 1024));
}

// Two runs of different length: what starting the process costs cancels out.
function measureInstructions(program, directory, all, plan) {
  const count = (allocator, pattern, bytes, operations) => {
    const file = join(directory, 'callgrind.out');
    const args = ['--tool=callgrind', '--error-exitcode=9', `--callgrind-out-file=${file}`];
    run('valgrind', [...args, program, pattern, `${bytes}`, 'count', `${operations}`], allocator);
    return Number(readFileSync(file, 'utf8').match(/^(?:totals|summary): (\d+)/m)[1]);
  };
  const rows = plan.map(({ pattern, bytes }) => {
    const step = pattern === 'realloc' ? 50 : 10000;
    const values = all.map((allocator) => {
      const first = count(allocator, pattern, bytes, step);
      return (count(allocator, pattern, bytes, 3 * step) - first) / (2 * step);
    });
    return { pattern, bytes, values };
  });
  print(
    'instructions per operation, with the loop around it',
    rows,
    all.map(({ name }) => name),
    digits,
  );
}

const directory = mkdtempSync(join(tmpdir(), 'miheap-bench-'));
process.on('exit', () => rmSync(directory, { recursive: true }));
const program = join(directory, 'malloc-free');
// -fno-builtin: the compiler may otherwise remove a malloc together with its free.
const flags = ['-O2', '-fno-builtin', '-pthread', join(here, 'malloc-free.c'), '-o', program];
execFileSync(process.env.CC ?? 'cc', flags, { stdio: 'inherit' });

const all = allocators();
const patterns = options.instructions ? countable : Object.keys(cases);
const plan = patterns
  .filter((pattern) => !options.only || pattern === options.only)
  .flatMap((pattern) => cases[pattern].map((bytes) => ({ pattern, bytes })));
if (plan.length === 0) fail(`--only takes one of: ${patterns.join(', ')}`);

console.log(`${cpus().length} x ${cpus()[0].model}, an operation is one malloc and one free;`);
console.log('realloc: one buffer grown to that size; handoff, churn: two threads, elapsed time');
if (options.instructions) measureInstructions(program, directory, all, plan);
else measureTime(program, all, plan);
