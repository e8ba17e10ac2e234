import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The package's own directory. */
export const root = join(__dirname, '..');

/** As prebuilds are named: linux-x64, darwin-arm64, … */
export const platform = `${process.platform}-${process.arch}`;

/** The C library, told apart as node-gyp-build does; empty where there is only one. */
export const libc =
  process.platform !== 'linux'
    ? ''
    : (process.env.LIBC ?? (existsSync('/etc/alpine-release') ? 'musl' : 'glibc'));

/** The platforms that this copy of the package has binaries for. */
export function shippedPlatforms(): string[] {
  const folder = join(root, 'prebuilds');
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** The library that LD_PRELOAD takes, if there is one for this platform. */
export function preloadLibrary(): string | undefined {
  return [
    join(root, 'build', 'Release', 'libmiheap.so'),
    join(root, 'prebuilds', platform, `libmiheap.${libc}.so`),
  ].find((file) => process.platform === 'linux' && existsSync(file));
}
