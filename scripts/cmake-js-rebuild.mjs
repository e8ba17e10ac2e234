#!/usr/bin/env node
// Stands in for node-gyp: prebuildify runs it with `rebuild --target=… --arch=… --release`.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const arch = process.argv.find((argument) => argument.startsWith('--arch='));
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules', 'cmake-js', 'bin', 'cmake-js'), 'rebuild', ...(arch ? [arch] : [])],
  { cwd: root, stdio: 'inherit' },
);
process.exitCode = status ?? 1;
