// One run of one program under one allocator.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';

/** The environment without what configures an allocator or the loader. */
export const clean = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(LD_|MIHEAP_|MIMALLOC_|MALLOC_)/.test(name)),
);

/**
 * Whether a program that runs with this library preloaded really gets it. The loader ignores a
 * library that it cannot use, and a static program never looks.
 */
export function isPreloaded(file, library) {
  const env = { ...clean, LD_PRELOAD: library, LD_TRACE_LOADED_OBJECTS: '1' };
  const { stdout } = spawnSync(file, [], { env, encoding: 'utf8', timeout: 10_000 });
  return stdout?.split('\n').some((line) => line.trim().startsWith(library)) ?? false;
}

/**
 * @param {string} launcher the program made from support/launch.c
 * @param {{ command: string[], count?: number, memory?: string, env?: object, cwd?: string,
 *           checksum?: boolean, output?: boolean, plainLibrary?: string }} workload
 * @param {{ name: string, library?: string }} allocator
 * @returns what launch.c prints, per run, and a `result` that no allocator changes; or `error`
 */
export function measure(launcher, workload, { library }) {
  const args = [];
  const preloaded = library ?? workload.plainLibrary;
  if (preloaded !== undefined) args.push('-l', preloaded);
  if (workload.count !== undefined) args.push('-n', String(workload.count));
  if (workload.memory === 'end') args.push('-r');
  const env = { ...clean, LC_ALL: 'C', ...workload.env };
  if (library !== undefined) env.BENCH_LIBRARY = library;
  const { status, signal, output, error } = spawnSync(launcher, [...args, ...workload.command], {
    env,
    cwd: workload.cwd,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    timeout: 300_000,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  if (error !== undefined) return { error: error.message };
  const [, text, complaints, report] = output;
  if (complaints.includes('cannot be preloaded')) return { error: 'the library is not loaded' };
  if (status !== 0) {
    const last = complaints.trim().split('\n').at(-1) || text.trim().split('\n').at(-1);
    return { error: `${signal ?? `exit code ${status}`}: ${last}` };
  }
  const used = JSON.parse(report);
  const runs = workload.count ?? 1;
  for (const key of ['wall', 'cpu', 'faults', 'major']) used[key] /= runs;
  if (workload.checksum) {
    used.result = /^checksum ([0-9a-f]+)$/m.exec(text)?.[1];
    if (used.result === undefined) return { error: 'the workload printed no checksum' };
  }
  if (workload.output) used.result = createHash('sha256').update(text).digest('hex');
  return used;
}
