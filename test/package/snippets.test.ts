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

const languages = ['ts', 'js', 'mjs', 'cjs'];
const readme = snippetsOf('README.md', join(root, 'README.md'), languages);
const examples = readdirSync(join(root, 'lib'))
  .filter((name) => name.endsWith('.ts'))
  .flatMap((name) => snippetsOf(name, join(root, 'lib', name), languages));

/** Its name as a file: TypeScript decides by that how it is imported. */
function fileOf({ where, language, code }: Snippet): string {
  const extension = { ts: 'mts', js: /\brequire\(/.test(code) ? 'cjs' : 'mjs' }[language];
  return `${where.replace(/\W/g, '-')}.${extension ?? language}`;
}

let folder: string;
let project: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'miheap-snippets-')));
  project = install(pack(folder), folder);
  for (const name of ['@types', 'prom-client']) {
    symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
  }
  for (const snippet of [...readme, ...examples]) {
    writeFileSync(join(project, fileOf(snippet)), snippet.code);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

test('all of them are correct TypeScript', () => {
  const files = readdirSync(project).filter((name) => /\.[mc]?[tj]s$/.test(name));
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = [
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--lib',
    'es2022,esnext.disposable',
  ];
  const strict = ['--strict', '--allowJs', '--types', 'node', '--outDir', 'out'];
  const { stdout } = spawnSync(process.execPath, [tsc, ...options, ...strict, ...files], {
    cwd: project,
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
});

function run(snippet: Snippet): void {
  const file = join('out', fileOf(snippet).replace(/\.mts$/, '.mjs'));
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
  test.each(readme.map((snippet) => [snippet.where, snippet] as const))('%s', (_, snippet) => {
    run(snippet);
  });
});

describe('examples of the documentation run, and print what they say', () => {
  test.each(examples.map((snippet) => [snippet.where, snippet] as const))('%s', (_, snippet) => {
    run(snippet);
  });
});
