// Builds and runs the C tests and the TypeScript tests, and counts. The last line is
// "N passed, N failed"; the exit code is 0 only if there were tests of both kinds and none failed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const jobs = String(availableParallelism());

function run(command, ...args) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

/** Runs a command and shows its output as it comes; resolves to the exit code and that output. */
function capture(command, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (text) => {
      process.stdout.write(text);
      output += text;
    });
    child.on('error', () => resolve({ code: 1, output }));
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** The result of a suite that did not get as far as counting, or found nothing to run. */
const broken = { passed: 0, failed: 1 };

/** Ninja is faster, if it is installed. A folder keeps the generator that it began with; CMAKE_GENERATOR wins. */
function generator() {
  const begun = existsSync(join(root, 'build-ctest', 'CMakeCache.txt'));
  if (begun || process.env.CMAKE_GENERATOR) return [];
  return spawnSync('ninja', ['--version']).status === 0 ? ['-G', 'Ninja'] : [];
}

async function runCtest() {
  const strict = process.env.CI === 'true' ? 'ON' : 'OFF';
  const configured = run(
    'cmake',
    '-S',
    '.',
    '-B',
    'build-ctest',
    ...generator(),
    '-DMI_BUILD_TESTS=ON',
    `-DMI_WERROR=${strict}`,
  );
  if (!configured || !run('cmake', '--build', 'build-ctest', '-j', jobs)) return broken;
  const { code, output } = await capture('ctest', [
    '--test-dir',
    'build-ctest',
    '--output-on-failure',
    '--no-tests=error',
    '-j',
    jobs,
  ]);
  const summary = /(\d+) tests? failed out of (\d+)/.exec(output);
  if (summary === null) return broken;
  const failed = Number(summary[1]);
  if (code !== 0 && failed === 0) return broken;
  const skipped = output.match(/\*\*\*Skipped/g)?.length ?? 0; // ctest counts these as passed
  return { passed: Number(summary[2]) - failed - skipped, failed };
}

async function runJest(patterns, env) {
  const folder = mkdtempSync(join(tmpdir(), 'miheap-jest-'));
  const file = join(folder, 'results.json');
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  try {
    const args = [jest, '--ci', '--json', `--outputFile=${file}`, ...patterns];
    const { code } = await capture(process.execPath, args, env);
    const results = JSON.parse(readFileSync(file, 'utf8'));
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    if (results.numPassedTests === 0 || (code !== 0 && failed === 0)) return broken;
    return { passed: results.numPassedTests, failed };
  } catch {
    return broken;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const ctest = await runCtest();
const jest = await runJest([]);
// The façades once more, as if the runtime forbade external buffers.
const internal = await runJest(
  ['test/js/(heap|token|limit|misuse|lifetime|ends|pool|region|stack|undetachable)'],
  {
    MIHEAP_EXTERNAL_BUFFERS: '0',
  },
);
const passed = ctest.passed + jest.passed + internal.passed;
const failed = ctest.failed + jest.failed + internal.failed;
console.log(`\nctest: ${ctest.passed} passed, ${ctest.failed} failed`);
console.log(`jest: ${jest.passed} passed, ${jest.failed} failed`);
console.log(`jest without external buffers: ${internal.passed} passed, ${internal.failed} failed`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
