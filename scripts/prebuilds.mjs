// Puts this machine's binaries where the published package has them: prebuilds/PLATFORM-ARCH.
import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const prebuildify = require.resolve('prebuildify/bin.js');
const shim = join(root, 'scripts', 'cmake-js-rebuild.mjs');
const options = ['--napi', '--strip', '--tag-libc', '--name', 'miheap', '--node-gyp', shim];

execFileSync(process.execPath, [prebuildify, ...options], { cwd: root, stdio: 'inherit' });

// prebuildify also copies the shared libraries that it finds. Their names do not tell the C library.
const { libc, platform } = require('../dist/shipped.js');
const folder = join(root, 'prebuilds', platform);
for (const file of readdirSync(folder)) {
  if (file.startsWith('libmiheap.so')) rmSync(join(folder, file));
}
if (process.platform === 'linux') {
  const library = join(folder, `libmiheap.${libc}.so`);
  copyFileSync(join(root, 'build', 'Release', 'libmiheap.so'), library);
  execFileSync('strip', ['--strip-unneeded', library]);
}
