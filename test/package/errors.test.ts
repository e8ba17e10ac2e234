import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from '../js/support';

/** `CODE Class` for each class of lib/errors.ts but the common base. */
function thrown(): string[] {
  const source = readFileSync(join(root, 'lib', 'errors.ts'), 'utf8');
  const [, ...classes] = source.split('export class ');
  return classes
    .map((text) => [text.match(/'(ERR_\w+)'/)?.[1], text.match(/^\w+/)?.[0]] as const)
    .filter(([, name]) => name !== 'MiheapError')
    .map(([code, name]) => `${code} ${name}`);
}

/** The same for each row of README's table. */
function documented(): string[] {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  return [...readme.matchAll(/^\| `(ERR_\w+)` \| `(\w+)`.* \| .+ \|$/gm)].map(
    ([, code, name]) => `${code} ${name}`,
  );
}

test("README's table has every error, and no other", () => {
  expect(thrown().length).toBeGreaterThan(10);
  expect(documented().sort()).toEqual(thrown().sort());
});

test('every error can be imported', () => {
  const names = Object.keys(require('../../lib'));
  expect(names).toEqual(expect.arrayContaining(thrown().map((row) => row.split(' ')[1])));
});
