import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { root } from './support';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'miheap-load-'));
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  const loader = join('node_modules', 'node-gyp-build');
  cpSync(join(root, loader), join(folder, loader), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true }));

function load() {
  const script = `try { require('./dist') } catch (e) { console.log(e.code, e.message) }`;
  const { stdout } = spawnSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8' });
  return stdout;
}

test('a package without a binary says what is missing, what is there and what to do', () => {
  const message = load();
  expect(message).toMatch(/^ERR_MIHEAP_LOAD miheap has no native module that loads on /);
  expect(message).toContain(`${process.platform}-${process.arch}`);
  expect(message).toContain('binaries shipped: none');
  expect(message).toMatch(/npx .* cmake-js build --directory "/);
});

test('code that was taken out of the package says that it cannot be', () => {
  writeFileSync(join(folder, 'package.json'), '{ "name": "program" }');
  expect(load()).toMatch(
    /^ERR_MIHEAP_LOAD miheap cannot be part of a bundle, .*: mark it as external \(/,
  );
  rmSync(join(folder, 'package.json'));
  expect(load()).toMatch(/^ERR_MIHEAP_LOAD miheap cannot be part of a bundle/);
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
});

test('a binary that does not load gives the same message', () => {
  const target = `${process.platform}-${process.arch}`;
  mkdirSync(join(folder, 'prebuilds', target), { recursive: true });
  writeFileSync(join(folder, 'prebuilds', target, 'miheap.node'), 'not a shared object');
  expect(load()).toContain(`binaries shipped: ${target}.`);
});
