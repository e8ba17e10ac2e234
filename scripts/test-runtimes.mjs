// npm run test:runtimes: the TypeScript tests on every version of Node that the package supports.
//
//   npm run test:runtimes                  all versions
//   npm run test:runtimes -- 18 26         these versions
//   npm run test:runtimes -- bun deno      reports which of test/runtimes/checks.js work there
//
// Needs Linux on x64, where npm has the binaries.
import { spawn } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchRuntime, runtimes } from './runtimes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const checks = join(root, 'test', 'runtimes', 'checks.js');

/** Runs a command; resolves to its exit code and all that it wrote. */
function run(file, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        output += text;
      });
    }
    child.on('error', (error) => resolve({ code: 1, output: `${output}${error.message}\n` }));
    child.on('close', (code, signal) => resolve({ code: code ?? signal, output }));
  });
}

/** Runs all of test/js in this Node, which the programs that the tests start run in, too. */
async function testNode(runtime, binary) {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const path = `${dirname(binary)}${delimiter}${process.env.PATH}`;
  const { code, output } = await run(binary, [jest, '--ci', 'test/js'], {
    env: { ...process.env, PATH: path },
  });
  console.log(`\n==> ${runtime.name}\n${output.trimEnd()}`);
  return code === 0;
}

/** Runs each check in a process of its own, so that a crash does not end the others. */
async function report(runtime, binary) {
  const start = { bun: ['--expose-gc'], deno: ['run', '-A', '--v8-flags=--expose-gc'] };
  const args = [...start[runtime.kind], checks];
  const { output } = await run(binary, [...args, '--list']);
  console.log(`\n==> ${runtime.name}`);
  const names = output.trim().split('\n');
  for (const name of names) {
    const { code, output } = await run(binary, [...args, name], { timeout: 20_000 });
    const why = output.trim().split('\n').at(-1);
    console.log(code === 0 ? `works    ${name}` : `fails    ${name} (${code}): ${why}`);
  }
}

const wanted = process.argv.slice(2);
const names = wanted.length > 0 ? wanted : Object.keys(runtimes).filter(Number);
const unknown = names.filter((name) => !(name in runtimes));
if (unknown.length > 0) {
  console.error(`unknown: ${unknown}; there are ${Object.keys(runtimes).join(', ')}`);
  process.exit(2);
}

// On two processors jest uses one process, and waits for its programs much of the time: so two at once.
const AT_ONCE = 2;
const isNode = (name) => runtimes[name].kind === 'node';
const queue = names.filter(isNode);
const tested = queue.length;
let failed = 0;
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const runtime = runtimes[name];
      if (!(await testNode(runtime, fetchRuntime(runtime)))) failed++;
    }
  }),
);
for (const name of names.filter((name) => !isNode(name))) {
  await report(runtimes[name], fetchRuntime(runtimes[name]));
}
if (tested > 0) console.log(`\n${tested - failed} versions of Node passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
