// npm run bench:node: what buffers of miheap cost, beside Node's own, in one process and in alternating
// rounds; and the examples that can also work in plain Buffers, in processes of their own.
//
//   node bench/node.mjs [OPTION...]
//
//   --only REGEX   only the rows whose name matches, such as 'Pool' or 'example cache'
//   --quick        everything once and small, to see that it works
//   --json FILE    where the results are written (build/bench-node.json)
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cases } from './node/contenders.mjs';
import { measureExamples } from './node/examples.mjs';
import { measure } from './node/rounds.mjs';
import { machine } from './runner/machine.mjs';
import { parseOptions, patternOf } from './runner/options.mjs';
import { printTable } from './runner/table.mjs';

const { values: options } = parseOptions(import.meta.url, {
  options: {
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    json: {
      type: 'string',
      default: fileURLToPath(new URL('../build/bench-node.json', import.meta.url)),
    },
  },
});
const pattern = patternOf('only', options.only);
const wanted = (name) => pattern.test(name);

const sizeText = (bytes) =>
  bytes >= 2 ** 20
    ? `${bytes / 2 ** 20} MiB`
    : bytes >= 1024
      ? `${bytes / 1024} KiB`
      : `${bytes} B`;
const timeText = (ns) =>
  ns < 100
    ? `${ns.toFixed(1)} ns`
    : ns < 1e4
      ? `${ns.toFixed(0)} ns`
      : `${(ns / 1000).toFixed(0)} µs`;
const timesText = (ratio) => `${ratio < 100 ? ratio.toFixed(1) : ratio.toFixed(0)}x`;

function print(heading, rows) {
  console.log();
  printTable(heading, rows);
}

const { node, v8 } = process.versions;
console.log(`${machine()}; ${process.arch}; Node ${node}, V8 ${v8}`);

const speed = cases
  .filter(({ our }) => wanted(our))
  .map(({ our, their, size, target, make }) => {
    const { ours, theirs } = measure(make(), options.quick);
    const ratio = theirs / ours;
    return {
      our,
      their,
      size,
      ours,
      theirs,
      ratio,
      target,
      met: target === null || ratio >= target,
    };
  });
if (speed.length > 0) {
  print(
    ['', 'size', 'miheap', 'Node', '', 'faster', 'target', ''],
    speed.map(({ our, their, size, ours, theirs, ratio, target, met }) => [
      our,
      sizeText(size),
      timeText(ours),
      timeText(theirs),
      their,
      timesText(ratio),
      target === null ? '' : timesText(target),
      met ? '' : 'missed',
    ]),
  );
}

const examples = measureExamples({ rounds: options.quick ? 1 : 5, small: options.quick, wanted });
if (examples.length > 0) {
  const megabytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const milliseconds = (ms) => `${ms.toFixed(1)} ms`;
  const row = (name, what, { ours, theirs, ratio }, text) => [
    name,
    what,
    text(ours),
    text(theirs),
    Number.isFinite(ratio) ? ratio.toFixed(2) : '-',
  ];
  print(
    ['example', '', 'miheap', 'Buffers', 'ratio'],
    examples.flatMap(({ name, peakRss, longestPause, pauses }) => [
      row(name, 'peak RSS', peakRss, megabytes),
      row(name, 'longest GC pause', longestPause, milliseconds),
      row(name, 'all GC pauses', pauses, milliseconds),
    ]),
  );
}

const file = resolve(options.json);
mkdirSync(dirname(file), { recursive: true });
writeFileSync(
  file,
  `${JSON.stringify({ machine: machine(), node, v8, speed, examples }, null, 2)}\n`,
);
console.log(`\n${file}`);
