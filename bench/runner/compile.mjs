// Compiles the workloads and what is in support/, if they are older than their sources.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { fail } from './fail.mjs';
import { bench, work } from './paths.mjs';

const common = ['-O2', '-g', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Wshadow', '-pthread'];
// A compiler may otherwise remove a malloc together with its free.
const opaque = ['malloc', 'calloc', 'realloc', 'free'].map((name) => `-fno-builtin-${name}`);

const support = {
  launch: ['-static'],
  // Calls go straight to the library, as from a program that is built for it.
  scaling: opaque,
  'fast-path': [...opaque, '-fno-plt', '-Wl,-z,now'],
};

function age(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function compile(source, program, flags = []) {
  const [compiler, standard] =
    extname(source) === '.cpp'
      ? [process.env.CXX ?? 'c++', '-std=c++17']
      : [process.env.CC ?? 'cc', '-std=gnu11'];
  const args = [standard, ...common, ...flags, source, '-o', program, '-ldl', '-lm'];
  const { status, error } = spawnSync(compiler, args, { stdio: 'inherit' });
  if (error !== undefined) fail(`no compiler: ${compiler}`);
  if (status !== 0) fail(`cannot compile ${source}`);
}

/** Compiles what is new; returns the path of a program by its name. */
export function compileAll() {
  const folder = join(work, 'bin');
  mkdirSync(folder, { recursive: true });
  const sources = readdirSync(join(bench, 'workloads')).map((name) =>
    join(bench, 'workloads', name),
  );
  const headers = sources.filter((name) => name.endsWith('.h')).map(age);
  for (const source of sources.filter((name) => !name.endsWith('.h'))) {
    const program = join(folder, basename(source, extname(source)));
    if (age(program) <= Math.max(age(source), ...headers)) compile(source, program, opaque);
  }
  for (const [name, flags] of Object.entries(support)) {
    const source = join(bench, 'support', `${name}.c`);
    const program = join(folder, name);
    if (age(program) <= Math.max(age(source), ...headers)) compile(source, program, flags);
  }
  return (name) => join(folder, name);
}
