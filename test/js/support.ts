import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(__dirname, '..', '..');

/** Whether our buffers are external. The suite also runs where V8 owns them: see scripts/test.mjs. */
export const external = process.env.MIHEAP_EXTERNAL_BUFFERS !== '0';

/** The `code` of what `action` throws; undefined if it throws nothing. */
export function codeOf(action: () => unknown): unknown {
  return thrownBy(action)?.code;
}

export function thrownBy(action: () => unknown): (Error & { code?: unknown }) | undefined {
  try {
    action();
  } catch (error) {
    return error as Error & { code?: unknown };
  }
  return undefined;
}

export interface ProgramOptions {
  flags?: string[];
  args?: string[];
  env?: NodeJS.ProcessEnv;
}

/**
 * Runs test/js/programs/NAME.js in a process of its own, on the built package, and returns the JSON
 * it printed. Fails if the process did not end with exit code 0.
 */
export function runProgram<T>(name: string, options: ProgramOptions = {}): T {
  const file = join(__dirname, 'programs', `${name}.js`);
  const { flags = [], args = [], env = {} } = options;
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, file, ...args],
    { encoding: 'utf8', env: { ...process.env, ...env } },
  );
  if (status !== 0) throw new Error(`${name} ended with ${status ?? signal}: ${stderr}`);
  return JSON.parse(stdout);
}

/** Has a program use the addon that `npm run build:checked` makes. */
export function checkedEnvironment(): NodeJS.ProcessEnv {
  const folder = join(root, 'build', 'checked');
  if (!existsSync(join(folder, 'build', 'Release', 'miheap.node'))) {
    throw new Error('npm run build:checked has not been run');
  }
  return { MIHEAP_PREBUILD: folder };
}
