import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../js/support';

/** Runs npm, with nothing fetched and nothing built. */
export function npm(args: string[], cwd: string, env = process.env): string {
  const quiet = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  return execFileSync('npm', [...args, ...quiet], { cwd, env, encoding: 'utf8' });
}

interface Packed {
  filename: string;
  files: { path: string }[];
}

/** What npm would publish from `folder`. */
export function packedFiles(folder: string): string[] {
  const [packed] = JSON.parse(npm(['pack', '--dry-run', '--json'], folder)) as [Packed];
  return packed.files.map((file) => file.path).sort();
}

/**
 * Makes the tarball that would be published, with this platform's binaries as this checkout has
 * built them, in `folder`. Returns its path.
 */
export function pack(folder: string): string {
  const staged = join(folder, 'staged');
  for (const path of packedFiles(root)) {
    if (path.startsWith('prebuilds/')) continue;
    mkdirSync(dirname(join(staged, path)), { recursive: true });
    copyFileSync(join(root, path), join(staged, path));
  }
  const { libc, platform } = require('../../lib/shipped') as typeof import('../../lib/shipped');
  const tag = libc === '' ? '' : `.${libc}`;
  const prebuilds = join(staged, 'prebuilds', platform);
  const built = join(root, 'build', 'Release');
  mkdirSync(prebuilds, { recursive: true });
  copyFileSync(join(built, 'miheap.node'), join(prebuilds, `miheap${tag}.node`));
  copyFileSync(join(built, 'libmiheap.so'), join(prebuilds, `libmiheap${tag}.so`));
  const [{ filename }] = JSON.parse(npm(['pack', '--json'], staged)) as [Packed];
  return join(staged, filename);
}

/** Programs that an installation may need; no compiler, no CMake, no python. */
const FEW_PROGRAMS = ['sh', 'env', 'node', 'npm'];

/**
 * Installs the packed package in an empty project, as a user does, on a machine where nothing can be
 * compiled. Returns the project's folder.
 */
export function install(tarball: string, folder: string): string {
  const project = join(folder, 'project');
  const bin = join(folder, 'bin');
  mkdirSync(project);
  mkdirSync(bin);
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true }');
  for (const program of FEW_PROGRAMS) symlinkSync(which(program), join(bin, program));
  const dependency = packDependency('node-gyp-build', folder);
  npm(['install', tarball, dependency], project, { ...process.env, PATH: bin });
  return project;
}

function which(program: string): string {
  return execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
}

/** The runtime dependency, packed from where it is installed, so that no registry is needed. */
export function packDependency(name: string, folder: string): string {
  const copy = join(folder, name);
  cpSync(join(root, 'node_modules', name), copy, { recursive: true });
  const [{ filename }] = JSON.parse(npm(['pack', '--json'], copy)) as [Packed];
  return join(copy, filename);
}
