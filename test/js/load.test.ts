import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
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

describe('Node that was told to load no native modules', () => {
  const flags = process.allowedNodeEnvironmentFlags;
  const permission = flags.has('--permission') ? '--permission' : '--experimental-permission';

  function loadWith(...options: string[]) {
    const script = `try { require(${JSON.stringify(root)}); console.log('loaded') } catch (e) { console.log(e.code, e.message) }`;
    const args = [...options, '-e', script];
    return spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout;
  }

  test('is told how to allow it', () => {
    expect(loadWith('--no-addons')).toMatch(
      /^ERR_MIHEAP_LOAD miheap .*--allow-addons.*--no-addons/,
    );
  });

  if (flags.has(permission) && process.platform === 'linux') {
    // Older ones of Node 20 have no such option, and let them through.
    const addons = flags.has('--allow-addons') ? ['--allow-addons'] : [];

    test('and which files it must be able to read', () => {
      const options = [permission, ...addons, `--allow-fs-read=${root}/*`];
      expect(loadWith(...options)).toMatch(
        /^ERR_MIHEAP_LOAD miheap .*permission.*alpine-release.*--allow-fs-read.*LIBC=/,
      );
      expect(loadWith(...options, '--allow-fs-read=/etc/alpine-release')).toBe('loaded\n');
    });
  }
});

test('a binary that does not load gives the same message', () => {
  const target = `${process.platform}-${process.arch}`;
  mkdirSync(join(folder, 'prebuilds', target), { recursive: true });
  writeFileSync(join(folder, 'prebuilds', target, 'miheap.node'), 'not a shared object');
  expect(load()).toContain(`binaries shipped: ${target}.`);
});
