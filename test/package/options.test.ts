import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from '../js/support';

/** Rows of MI_OPTIONS in miheap.h: name, default, what it does. */
function declared(): string[][] {
  const header = readFileSync(join(root, 'native', 'include', 'miheap.h'), 'utf8');
  const table = header.replace(/\\\n/g, ' ');
  const row = /\bOPTION\((\w+), *(-?\d+), *-?\d+, *-?\d+, *"([^"]*)"\)/g;
  return [...table.matchAll(row)].map(([, ...columns]) => columns);
}

/** Rows of README's table. */
function documented(): string[][] {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const section = readme.slice(readme.indexOf('### Options'), readme.indexOf('## Measure'));
  return [...section.matchAll(/^\| `(\w+)` \| (-?\d+) \| (.*) \|$/gm)].map(
    ([, ...columns]) => columns,
  );
}

test("README's options are those of miheap.h", () => {
  expect(declared().length).toBeGreaterThan(10);
  expect(documented()).toEqual(declared());
});
