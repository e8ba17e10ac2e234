// The allocators to compare: glibc, ours, those that the system has, and those named by the user.
import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fail } from './fail.mjs';
import { root } from './paths.mjs';

/** Debian's packages are named after the libraries: libmimalloc2.0, libjemalloc2, … */
const peers = {
  mimalloc: 'libmimalloc.so.2',
  jemalloc: 'libjemalloc.so.2',
  tcmalloc: 'libtcmalloc_minimal.so.4',
  tbbmalloc: 'libtbbmalloc_proxy.so.2',
};

function ourLibrary(named) {
  if (named !== undefined) return named;
  const cli = join(root, 'dist', 'cli.js');
  if (!existsSync(cli)) fail('not built yet: run `npm run build`, or name the library with --lib');
  return execFileSync(process.execPath, [cli, 'lib'], { encoding: 'utf8' }).trim();
}

/** Finds the path of a library that the system has by its name. */
export function systemLibraries() {
  const known = execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  return (name) =>
    known
      .split('\n')
      .find((line) => line.trim().startsWith(`${name} `))
      ?.split('=> ')[1];
}

/**
 * @param {{ lib?: string, peers?: string, allocator?: string[] }} options
 * @returns {{ name: string, library?: string, peer?: true }[]} glibc first, then miheap; `peer` if the
 * system has it
 */
export function findAllocators(options) {
  const wanted = options.peers === undefined ? Object.keys(peers) : options.peers.split(',');
  const system = systemLibraries();
  const found = [{ name: 'glibc' }, { name: 'miheap', library: ourLibrary(options.lib) }];
  for (const name of wanted.filter((each) => each !== 'none' && each !== '')) {
    if (!(name in peers)) fail(`--peers takes none or some of ${Object.keys(peers).join(',')}`);
    const library = system(peers[name]);
    if (library === undefined) console.log(`${name} is left out: there is no ${peers[name]} here`);
    else found.push({ name, library, peer: true });
  }
  for (const named of options.allocator ?? []) {
    const [, name, library] = /^([^=]+)=(.+)$/.exec(named) ?? fail('--allocator takes NAME=FILE');
    if (found.some((each) => each.name === name)) fail(`there are two allocators named ${name}`);
    found.push({ name, library });
  }
  for (const each of found) {
    if (each.library === undefined) continue;
    if (!existsSync(each.library)) fail(`no such library: ${each.library}`);
    each.library = realpathSync(resolve(each.library));
  }
  return found;
}
