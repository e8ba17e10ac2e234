import { spawnSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { root } from '../js/support';
import { install, pack } from './pack';
import { promised, type Snippet, snippetsOf } from './snippets';

const readme = snippetsOf('README.md', join(root, 'README.md'));
const examples = readdirSync(join(root, 'lib'))
  .filter((name) => name.endsWith('.ts'))
  .flatMap((name) => snippetsOf(name, join(root, 'lib', name)));

/** Its name as a file, which says whether it becomes an ES or a CommonJS module. */
const fileOf = ({ where }: Snippet, extension: 'mts' | 'cts') =>
  `${where.replace(/\W/g, '-')}.${extension}`;

/** Only an ES module can await, or ask where it is. */
const isOnlyModule = ({ code }: Snippet) => /\bimport\.meta\b|^(\w.*)?\bawait\b/m.test(code);

/** Compiles all of them; returns what TypeScript has to say about them. */
function compile(): string {
  const files = readdirSync(project).filter((name) => /\.[mc]ts$/.test(name));
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = [
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--lib',
    'es2022,esnext.disposable',
  ];
  const strict = ['--strict', '--types', 'node', '--outDir', 'out'];
  return spawnSync(process.execPath, [tsc, ...options, ...strict, ...files], {
    cwd: project,
    encoding: 'utf8',
  }).stdout;
}

let folder: string;
let project: string;
let complaints: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'miheap-snippets-')));
  project = install(pack(folder), folder);
  for (const name of ['@types', 'prom-client']) {
    symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
  }
  for (const snippet of [...readme, ...examples]) {
    writeFileSync(join(project, fileOf(snippet, 'mts')), snippet.code);
    if (!isOnlyModule(snippet)) writeFileSync(join(project, fileOf(snippet, 'cts')), snippet.code);
  }
  complaints = compile();
});
afterAll(() => rmSync(folder, { recursive: true }));

test('all of them are correct TypeScript', () => {
  expect(complaints).toBe('');
});

function run(snippet: Snippet, extension: 'mts' | 'cts' = 'mts'): void {
  const file = join('out', fileOf(snippet, extension).replace(/ts$/, 'js'));
  const hook = join(__dirname, 'programs', 'request-once.cjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-r', hook, file], {
    cwd: project,
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect([status, stderr]).toEqual([0, '']);
  const printed = stdout.split('\n');
  let from = 0;
  for (const line of promised(snippet.code)) {
    expect(printed.slice(from)).toContain(line);
    from = printed.indexOf(line, from) + 1;
  }
}

describe("README's code runs, and prints what it says", () => {
  const named = (snippets: Snippet[]) =>
    snippets.map((snippet) => [snippet.where, snippet] as const);

  test.each(named(readme))('%s', (_, snippet) => {
    run(snippet);
  });

  test.each(named(readme.filter((snippet) => !isOnlyModule(snippet))))(
    '%s as CommonJS',
    (_, snippet) => {
      run(snippet, 'cts');
    },
  );
});

describe('examples of the documentation run, and print what they say', () => {
  test.each(examples.map((snippet) => [snippet.where, snippet] as const))('%s', (_, snippet) => {
    run(snippet);
  });
});
