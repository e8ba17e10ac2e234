import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from '../js/support';
import { packedFiles } from './pack';

const manifest = require('../../package.json');
const modules = [
  'block',
  'cli',
  'dispose',
  'empty',
  'errors',
  'failure',
  'free-or-leave',
  'heap',
  'heap-blocks',
  'heap-types',
  'idle',
  'index',
  'inspect',
  'limit',
  'mark',
  'native',
  'poison',
  'pool',
  'pool-types',
  'process-stats',
  'prometheus',
  'region',
  'region-types',
  'shipped',
  'stack',
  'token',
  'transfer',
  'validate',
  'views',
  'waiters',
  'worker-exit',
  'zero-fill',
];

/** What can be imported. */
const entries = ['index', 'prometheus'];

test('the package holds the compiled façade, its types, the sources, and nothing else', () => {
  const files = packedFiles(root);
  const isSource = (path: string) =>
    /^(native|cmake)\/.*\.(c|cc|h|def|txt|cmake|in|ld|list)$/.test(path);
  const isBinary = (path: string) =>
    /^prebuilds\/[a-z0-9]+-[a-z0-9]+\/(miheap(\.\w+)?\.node|libmiheap\.\w+\.so)$/.test(path);
  expect(files.filter((path) => !isSource(path) && !isBinary(path))).toEqual(
    [
      'CMakeLists.txt',
      'LICENSE',
      'README.md',
      'package.json',
      ...entries.flatMap((name) => [`dist/${name}.mjs`, `types/${name}.d.mts`]),
      ...modules.map((name) => `dist/${name}.js`),
      ...modules.map((name) => `types/${name}.d.ts`),
    ].sort(),
  );
  for (const path of ['native/include/miheap.h', 'native/core/types.h', 'native/addon/addon.cc']) {
    expect(files).toContain(path);
  }
});

test('the types show nothing that is internal', () => {
  for (const file of readdirSync(join(root, 'types'))) {
    expect(readFileSync(join(root, 'types', file), 'utf8')).not.toContain('@internal');
  }
});

// What is shipped is built on Debian 12. With another C library a build may need something else.
const release = '/etc/os-release';
if (existsSync(release) && /^PRETTY_NAME="Debian [^"]* 12 /m.test(readFileSync(release, 'utf8'))) {
  test('the binaries need no newer system than the README says', () => {
    const newest = (file: string, library: string) => {
      const symbols = execFileSync('objdump', ['-T', join(root, 'build', 'Release', file)], {
        encoding: 'utf8',
        maxBuffer: 2 ** 26,
      });
      const versions = symbols.matchAll(new RegExp(`\\b${library}_([\\d.]+)`, 'g'));
      const compare = new Intl.Collator('en', { numeric: true }).compare;
      return [...versions]
        .map(([, version = '']) => version)
        .sort(compare)
        .at(-1);
    };
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const glibc = readme.match(/need glibc ([\d.]+\d)/)?.[1];
    expect(glibc).toBeDefined();
    expect(newest('miheap.node', 'GLIBC')).toBe(glibc);
    expect(newest('libmiheap.so', 'GLIBC')).toBe(glibc);
    expect(newest('miheap.node', 'GLIBCXX')).toBe(readme.match(/GLIBCXX_([\d.]+\d)/)?.[1]);
    expect(newest('libmiheap.so', 'GLIBCXX')).toBeUndefined();
  });
}

test('a published package runs no script when it is installed, and npm warns of none', () => {
  // Of a package that comes from a file, npm would run `prepare`, too: `dependencies` builds here instead.
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) {
    expect(manifest.scripts).not.toHaveProperty(name);
  }
  expect(existsSync(join(root, 'binding.gyp'))).toBe(false);
});

test('the only runtime dependency is node-gyp-build', () => {
  expect(Object.keys(manifest.dependencies)).toEqual(['node-gyp-build']);
});

test('the lock file names no other registry', () => {
  const hosts = readFileSync(join(root, 'package-lock.json'), 'utf8').match(/https?:\/\/[^/"]+/g);
  const registries = (hosts ?? []).filter((host) => /registry|npm/.test(host));
  expect(registries.filter((host) => host !== 'https://registry.npmjs.org')).toEqual([]);
});

test('package, header and CMake project have one version', () => {
  const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
  const header = read('native', 'include', 'miheap.h');
  expect(header.match(/#define MIHEAP_VERSION "(.*)"/)?.[1]).toBe(manifest.version);
  expect(read('CMakeLists.txt').match(/project\(miheap VERSION (\S+)/)?.[1]).toBe(manifest.version);
});
