import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from '../js/support';

interface Row {
  name: string;
  value: number;
  doc: string;
}

const byName = (a: Row, b: Row) => (a.name < b.name ? -1 : 1);

/** A number as C writes it: 5, -1, 1L << 30. */
function number(text: string): number {
  const [base = '', shift = '0'] = text.replace('L', '').split('<<');
  return Number(base) * 2 ** Number(shift);
}

function asRow([, name = '', value = '', doc = '']: string[]): Row {
  return { name, value: number(value), doc };
}

/** Rows of MI_OPTIONS in miheap.h. */
function declared(): Row[] {
  const header = readFileSync(join(root, 'native', 'include', 'miheap.h'), 'utf8');
  const table = header.replace(/\\\n/g, ' ');
  const row = /\bOPTION\((\w+), *[A-Z]+, *([^,]+), *[^,]+, *[^,]+, *"([^"]*)"\)/g;
  return [...table.matchAll(row)].map(asRow);
}

/** Rows of README's two tables: the options that people use, then the others. */
function documented(): Row[][] {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const section = readme.slice(readme.indexOf('### Options'), readme.indexOf('## Measure'));
  return section
    .split('<details>')
    .map((part) => [...part.matchAll(/^\| `(\w+)` \| (-?\d+) \| (.*) \|$/gm)].map(asRow));
}

test("README's options are those of miheap.h", () => {
  expect(declared().length).toBeGreaterThan(30);
  expect(documented()).toHaveLength(2);
  expect(documented().flat().sort(byName)).toEqual(declared().sort(byName));
});

test('options without an effect come last', () => {
  const [used = []] = documented();
  expect(used.length).toBeGreaterThan(10);
  expect(used.filter((row) => row.doc.startsWith('no effect'))).toEqual([]);
});
