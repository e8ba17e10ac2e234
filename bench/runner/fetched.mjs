// npm packages that some programs need and a checkout does not: fetched once, on demand.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { work } from './paths.mjs';

/** The folder with the package in its node_modules; undefined if it is not there and cannot be had. */
export function fetched(name, version) {
  const folder = join(work, name);
  if (existsSync(join(folder, 'complete'))) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--no-audit', '--no-fund', '--silent', `${name}@${version}`];
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'ignore', timeout: 120_000 });
  if (status !== 0) return undefined;
  writeFileSync(join(folder, 'complete'), '');
  return folder;
}
