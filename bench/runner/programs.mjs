// Programs that exist, doing what they are for. A row either says how it is run or why it cannot be.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { systemLibraries } from './allocators.mjs';
import { fetched } from './fetched.mjs';
import { bench, root } from './paths.mjs';

function which(program) {
  return process.env.PATH.split(delimiter)
    .map((folder) => join(folder, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** What a `python3` that may be a script starts in the end. */
function python() {
  const found = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

const own = (name) => join(bench, 'programs', name);
const needs = (programs, row) => {
  const absent = Object.keys(programs).filter((name) => programs[name] === undefined);
  return absent.length > 0 ? { missing: `there is no ${absent.join(', no ')}` } : row();
};

/** Each row's own way to be run. Only called for rows that are wanted: some have to be fetched. */
const ways = {
  'start-up': () => ({ command: ['/bin/true'], count: 200, counts: ['time'] }),

  redis: ({ quick }) => {
    const server = which('redis-server');
    return needs({ 'redis-server': server, 'redis-benchmark': which('redis-benchmark') }, () => ({
      command: [own('redis.sh'), quick ? '1000' : '200000'],
      loads: [server],
      // Debian's server is linked with jemalloc, which would else be what runs as glibc.
      plainLibrary: systemLibraries()('libc.so.6'),
    }));
  },

  python: ({ quick }) => {
    const python3 = python();
    return needs({ python3 }, () => ({
      command: [python3, own('objects.py'), quick ? '500' : '20000'],
      // Its own allocator for small objects sits on mmap.
      env: { PYTHONMALLOC: 'malloc' },
      output: true,
    }));
  },

  'g++': ({ quick }) => {
    const compiler = which('g++');
    return needs({ 'g++': compiler }, () => {
      const source = quick
        ? join(bench, 'workloads', 'containers.cpp')
        : join(root, 'test', 'programs', 'workloads', 'templates.cpp');
      const program = spawnSync(compiler, ['-print-prog-name=cc1plus'], { encoding: 'utf8' });
      const flags = quick ? ['-fsyntax-only'] : ['-O1', '-c', '-o', '/dev/null'];
      return {
        command: [compiler, '-std=c++17', ...flags, source],
        loads: [program.stdout.trim()],
      };
    });
  },

  sqlite: () => {
    const sqlite3 = which('sqlite3');
    return needs({ sqlite3 }, () => ({
      command: [sqlite3, ':memory:', `.read ${own('query.sql')}`],
      output: true,
    }));
  },

  tsc: () => {
    // Later versions are not JavaScript any more.
    const folder = fetched('typescript', '5.9');
    return needs({ 'typescript 5.9 in reach': folder }, () => ({
      command: [
        process.execPath,
        join(folder, 'node_modules', 'typescript', 'lib', 'tsc.js'),
        ...['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext'],
        ...['--types', 'node', join(root, 'lib', 'index.ts')],
      ],
      cwd: root,
    }));
  },

  sharp: ({ quick }) => {
    const folder = fetched('sharp', '0.35');
    return needs({ 'sharp in reach': folder }, () => ({
      command: [process.execPath, own('images.mjs'), folder, quick ? '2' : '30'],
      output: true,
    }));
  },

  'node-buffers': () => ({
    command: [process.execPath, '--expose-gc', own('buffers.mjs'), '12', '22'],
    memory: 'end',
    live: { mib: 22, baseline: 'node-still' },
  }),

  'node-still': () => ({
    command: [process.execPath, '--expose-gc', own('buffers.mjs'), '0', '0'],
    memory: 'end',
    counts: [],
  }),
};

// For a smoke test: not what takes seconds or is fetched.
const quickWays = ['start-up', 'redis', 'python', 'g++', 'sqlite'];

/** @returns rows as in catalogue.mjs, each with its `command`; or `missing`, the reason why not */
export function realPrograms(options, only) {
  return Object.entries(ways)
    .filter(([name]) => only.test(name) && (!options.quick || quickWays.includes(name)))
    .map(([name, way]) => ({ name, counts: ['time', 'memory'], memory: 'peak', ...way(options) }));
}
