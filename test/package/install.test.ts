import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { root } from '../js/support';
import { install, pack } from './pack';

let folder: string;
let tarball: string;
let project: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'miheap-package-')));
  tarball = pack(folder);
  project = install(tarball, folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

function evaluate(script: string, kind: string) {
  const args = [`--input-type=${kind}`, '-e', script];
  return execFileSync(process.execPath, args, { cwd: project, encoding: 'utf8' });
}

const use = `
  const heap = new Heap();
  const buffer = heap.alloc(1000).fill(1);
  heap.free(buffer);
  console.log(buffer.length, processStats().heldBytes, heap.external);
`;

describe('the packed package, installed', () => {
  test('can be required', () => {
    const script = `const { Heap, processStats } = require('miheap'); ${use}`;
    expect(evaluate(script, 'commonjs')).toBe('0 0 true\n');
  });

  test('can be imported', () => {
    const script = `import { Heap, processStats } from 'miheap'; ${use}`;
    expect(evaluate(script, 'module')).toBe('0 0 true\n');
  });

  test('has a command line whose library is inside the package', () => {
    const miheap = (...args: string[]) =>
      execFileSync(join(project, 'node_modules', '.bin', 'miheap'), args, { encoding: 'utf8' });
    const library = miheap('lib').trim();
    expect(library.startsWith(join(project, 'node_modules', 'miheap', 'prebuilds'))).toBe(true);
    expect(miheap('run', '--', 'printenv', 'LD_PRELOAD').trim()).toBe(library);
    expect(miheap('run', '--', '/bin/grep', '-o', 'libmiheap', '/proc/self/maps')).not.toBe('');
  });

  test('has types that a project can compile against', () => {
    writeFileSync(
      join(project, 'use.ts'),
      `import { Heap, type HeapStats, processStats } from 'miheap';
       const heap = new Heap({ limit: 5000 });
       const buffer: Buffer = heap.alloc(10, { align: 64 });
       const doubles: Float64Array = heap.allocTyped(Float64Array, 10);
       const bigger: ArrayBuffer = heap.realloc(heap.allocArrayBuffer(8), 16);
       const stats: HeapStats = heap.stats();
       heap.free(doubles);
       heap[Symbol.dispose]();
       // @ts-expect-error: a size is a number
       heap.alloc('10');
       console.log(buffer, bigger, stats, processStats().heldBytes);\n`,
    );
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const types = join(root, 'node_modules', '@types');
    for (const module of ['nodenext', 'commonjs']) {
      const options = ['--module', module, '--target', 'es2022', '--lib', 'es2022'];
      const args = [...options, '--types', 'node', '--typeRoots', types, '--strict', '--noEmit'];
      const result = spawnSync(process.execPath, [tsc, ...args, 'use.ts'], {
        cwd: project,
        encoding: 'utf8',
      });
      expect([module, result.stdout, result.status]).toEqual([module, '', 0]);
    }
  });
});

describe('the package as published', () => {
  test('passes publint', () => {
    const publint = join(root, 'node_modules', 'publint', 'src', 'cli.js');
    const result = spawnSync(process.execPath, [publint, 'run', '--strict', tarball], {
      encoding: 'utf8',
    });
    expect([result.status, result.stdout]).toEqual([0, expect.stringContaining('All good')]);
  });

  test('passes attw', () => {
    const attw = join(root, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js');
    const result = spawnSync(process.execPath, [attw, tarball, '--no-emoji'], { encoding: 'utf8' });
    expect([result.status, result.stdout]).toEqual([0, expect.stringContaining('No problems')]);
  });
});
