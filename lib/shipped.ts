import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The package's own directory. */
export const root = join(__dirname, '..');

/** False in a bundle, where `root` is some folder of the program. */
export function isWhole(): boolean {
  try {
    return require(join(root, 'package.json')).name === 'miheap';
  } catch {
    return false;
  }
}

/** What the folder of a prebuild is called: linux-x64, darwin-arm64, … */
export const platform = `${process.platform}-${process.arch}`;

/** The C library, as node-gyp-build tells them apart; empty where there is only one. */
export const libc =
  process.platform !== 'linux' ? '' : process.env.LIBC || (isAlpine() ? 'musl' : 'glibc');

function isAlpine(): boolean {
  try {
    return existsSync('/etc/alpine-release');
  } catch {
    return false; // Node's permission model forbids the question
  }
}

/** How messages call the platform that a binary must be for. */
export const system = named(platform, libc);

function named(platform: string, libc: string): string {
  return libc === '' ? platform : `${platform} (${libc})`;
}

/** What this copy of the package has binaries for. */
export function shippedPlatforms(): string[] {
  const folder = join(root, 'prebuilds');
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => libcsIn(join(folder, name)).map((libc) => named(name, libc)))
      .sort();
  } catch {
    return []; // the folder does not exist, or must not be read
  }
}

/** The C libraries that the binaries in `folder` are for; '' for a binary whose name has none. */
function libcsIn(folder: string): string[] {
  const binary = /^(?:lib)?miheap(?:\.(\w+))?\.(?:node|so)$/;
  const libcs = readdirSync(folder).flatMap((file) => {
    const found = binary.exec(file);
    return found === null ? [] : [found[1] ?? ''];
  });
  return [...new Set(libcs)];
}

/** The path of the library for LD_PRELOAD, if this platform has one. */
export function preloadLibrary(): string | undefined {
  return [
    join(root, 'build', 'Release', 'libmiheap.so'),
    join(root, 'prebuilds', platform, `libmiheap.${libc}.so`),
  ].find((file) => process.platform === 'linux' && existsSync(file));
}
