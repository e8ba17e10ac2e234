// Results as pictures, drawn by Observable Plot.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { curves } from './scaling.mjs';
import { compare } from './summary.mjs';

const colours = {
  miheap: '#d62728',
  glibc: '#555555',
  mimalloc: '#1f77b4',
  jemalloc: '#2ca02c',
  tcmalloc: '#9467bd',
  tbbmalloc: '#ff7f0e',
};
const width = 900;

function draw(options) {
  const { document } = parseHTML('<html><body></body></html>');
  const svg = Plot.plot({
    ...options,
    document,
    width,
    style: { background: 'white', fontFamily: 'sans-serif', fontSize: '12px', overflow: 'visible' },
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.setAttribute('xmlns:xlink', 'http://www.w3.org/1999/xlink');
  return `${svg.outerHTML}\n`;
}

function colourScale(allocators) {
  return {
    legend: false,
    domain: allocators,
    range: allocators.map((name) => colours[name] ?? '#17becf'),
  };
}

/** A bar for miheap and a dot for each other allocator, for each workload, glibc being 1. */
function relative(results, kind, label) {
  const { rows, means } = compare(results, kind);
  const values = rows
    .filter(({ values }) => values.glibc > 0)
    .map(({ name, values }) => ({ name, values }));
  values.push({ name: 'geometric mean', values: { ...means, glibc: 1 } });
  const points = values.flatMap(({ name, values }) =>
    results.allocators
      .filter((allocator) => values[allocator] > 0)
      .map((allocator) => ({ name, allocator, ratio: values[allocator] / values.glibc })),
  );
  const ours = points.filter(({ allocator }) => allocator === 'miheap');
  const others = points.filter(({ allocator }) => allocator !== 'miheap');
  return draw({
    height: 90 + 18 * values.length,
    marginLeft: 120,
    marginTop: 72,
    marginRight: 30,
    color: colourScale(results.allocators),
    x: { type: 'log', axis: 'top', label, grid: true, tickFormat: '~g', ticks: 8 },
    y: { label: null, domain: values.map(({ name }) => name) },
    marks: [
      Plot.barX(ours, { x1: 1, x2: 'ratio', y: 'name', fill: 'allocator', fillOpacity: 0.35 }),
      Plot.dot(others, { x: 'ratio', y: 'name', stroke: 'allocator', strokeWidth: 1.8, r: 3.5 }),
      Plot.tickX(ours, { x: 'ratio', y: 'name', stroke: 'allocator', strokeWidth: 4 }),
      Plot.ruleX([1]),
      ...legend(results.allocators),
    ],
  });
}

/** The names in a row above the picture. */
function legend(allocators) {
  return allocators.map((name, i) =>
    Plot.text([name], {
      frameAnchor: 'top-left',
      text: (each) => `\u25cf ${each}`,
      fill: (each) => each,
      fontWeight: 'bold',
      dx: i * 100,
      dy: -44,
    }),
  );
}

/** One picture for each curve: nanoseconds per operation against what grows, both in steps of ten. */
function scalingPicture(scaling, curve) {
  const points = scaling.filter((each) => each.curve === curve);
  const allocators = [...new Set(points.map(({ allocator }) => allocator))];
  const ours = points.filter(({ allocator }) => allocator === 'miheap');
  const line = { x: 'point', y: 'cost', stroke: 'allocator' };
  return draw({
    height: 380,
    marginLeft: 60,
    marginTop: 72,
    marginRight: 30,
    color: colourScale(allocators),
    x: { type: 'log', label: `${curve} \u2192`, grid: true, ticks: 5, tickFormat: '~s' },
    y: {
      type: 'log',
      label: '\u2191 ns per replaced block',
      grid: true,
      ticks: 5,
      tickFormat: '~g',
    },
    marks: [
      Plot.line(points, { ...line, strokeWidth: 1.5 }),
      Plot.dot(points, { ...line, r: 2.5, fill: 'allocator' }),
      Plot.line(ours, { ...line, strokeWidth: 3.5 }),
      Plot.line(ours, { x: 'point', y: 'control', stroke: '#999999', strokeDasharray: '4 3' }),
      Plot.text(ours.slice(-1), {
        x: 'point',
        y: 'control',
        text: () => 'two writes, no malloc',
        textAnchor: 'end',
        dy: 14,
        fill: '#777777',
      }),
      ...legend(allocators),
    ],
  });
}

/** Writes the pictures that there are results for. */
export function drawResults(results, folder) {
  mkdirSync(folder, { recursive: true });
  const write = (name, text) => writeFileSync(join(folder, `${name}.svg`), text);
  if (results.workloads?.length > 0) {
    write('time', relative(results, 'wall', 'time, glibc = 1 (less is better) \u2192'));
    write(
      'memory',
      relative(results, 'memory', 'resident memory, glibc = 1 (less is better) \u2192'),
    );
  }
  for (const { name, file } of curves) {
    if (results.scaling.some(({ curve }) => curve === name))
      write(`scaling-${file}`, scalingPicture(results.scaling, name));
  }
}
