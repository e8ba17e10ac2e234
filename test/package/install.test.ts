import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
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

  describe('has types that a project can compile against', () => {
    beforeAll(() => {
      const modules = join(root, 'node_modules');
      for (const name of ['@types', 'expect-type', 'prom-client']) {
        symlinkSync(join(modules, name), join(project, 'node_modules', name));
      }
      cpSync(join(root, 'test', 'types'), join(project, 'types'), { recursive: true });
    });

    // node10 is how TypeScript 5 resolves by default where modules are CommonJS.
    test.each([
      ['typescript', 'nodenext', 'nodenext'],
      ['typescript', 'esnext', 'bundler'],
      ['typescript-5', 'nodenext', 'nodenext'],
      ['typescript-5', 'commonjs', 'node10'],
    ])('%s, module %s, moduleResolution %s', (compiler, module, resolution) => {
      const tsc = join(root, 'node_modules', compiler, 'bin', 'tsc');
      const files = readdirSync(join(project, 'types')).map((name) => join('types', name));
      const options = [
        '--module',
        module,
        '--moduleResolution',
        resolution,
        '--strict',
        '--exactOptionalPropertyTypes',
        '--noEmit',
      ];
      const libraries = [
        '--target',
        'es2022',
        '--lib',
        'es2022,esnext.disposable',
        '--types',
        'node',
      ];
      const args = [tsc, ...options, ...libraries, ...files];
      const { stdout, status } = spawnSync(process.execPath, args, {
        cwd: project,
        encoding: 'utf8',
      });
      expect([stdout, status]).toEqual(['', 0]);
    });
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
