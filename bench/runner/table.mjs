// Results as text for a terminal.

import { growth } from './scaling.mjs';
import { bestPeer, compare, measures } from './summary.mjs';
import { targets } from './targets.mjs';

const digits = (value) =>
  value === undefined
    ? '-'
    : value < 10
      ? value.toFixed(2)
      : value < 100
        ? value.toFixed(1)
        : value.toFixed(0);

/** Columns as wide as they need to be; the first is text, the others are numbers. */
export function printTable(heading, rows) {
  const table = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...table.map((row) => row[column].length)));
  for (const row of table) {
    const cells = row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]),
    );
    console.log(cells.join('  ').trimEnd());
  }
}

/** The ratio to the best peer, marked where it is more than 5 % behind. */
function against(values) {
  const best = bestPeer(values);
  if (values.miheap === undefined || best.name === '') return ['-', ''];
  const ratio = values.miheap / best.value;
  return [`${ratio.toFixed(2)}${ratio > 1.05 ? '!' : ' '}`, best.name];
}

function printMeasure(results, kind) {
  const { title, unit, scale } = measures[kind];
  const { rows, means, complete } = compare(results, kind);
  const { allocators } = results;
  if (rows.length === 0) return;
  console.log(`\n${title}${unit && `, ${unit}`} (median)`);
  const lines = rows.map(({ name, values }) => [
    name,
    ...allocators.map((each) => digits(values[each] && values[each] * scale)),
    ...against(values),
  ]);
  if (complete > 1) {
    lines.push([
      `geometric mean of ${complete}, glibc = 1`,
      ...allocators.map((name) => means[name].toFixed(3)),
      ...against(means),
    ]);
  }
  printTable(['', ...allocators, 'to best', 'peer'], lines);
}

/** The curves as numbers, and whether ten times as much costs no more than it has to. */
export function printScaling(scaling) {
  const allocators = [...new Set(scaling.map(({ allocator }) => allocator))];
  for (const curve of new Set(scaling.map((each) => each.curve))) {
    const points = [
      ...new Set(scaling.filter((each) => each.curve === curve).map(({ point }) => point)),
    ];
    const at = (point, name) =>
      scaling.find(
        (each) => each.curve === curve && each.point === point && each.allocator === name,
      );
    console.log(
      `\nnanoseconds per replaced block (in brackets: per two blocks that are only written to)`,
    );
    const cell = ({ cost, control }) => `${digits(cost)} (${digits(control)})`;
    printTable(
      [curve, ...allocators],
      points.map((point) => [String(point), ...allocators.map((name) => cell(at(point, name)))]),
    );
    for (const name of allocators) {
      const steps = growth(scaling, curve, name);
      const worst = steps.reduce((a, b) => (b.ratio > a.ratio ? b : a), { ratio: 0 });
      const verdict = worst.ratio < 1.5 ? 'holds ' : 'MISSED';
      console.log(
        `${name === 'miheap' ? verdict : '      '}  ${name}: ten times as much costs at most ${worst.ratio.toFixed(2)}x more than caches explain (${worst.from} to ${worst.to})`,
      );
    }
  }
}

export function printResults(results) {
  for (const kind of Object.keys(measures)) printMeasure(results, kind);
  for (const { name, allocator, error } of results.failures) {
    console.log(`\n${name} failed with ${allocator}: ${error}`);
  }
  const judged = targets(results);
  if (judged.length > 0) console.log('\ntargets');
  for (const { name, holds, found } of judged) {
    console.log(`${holds ? 'holds ' : 'MISSED'}  ${name}${found && `: ${found}`}`);
  }
}
