// Runs examples that can do the same work in plain Buffers, each in processes of its own that take turns.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median } from '../runner/summary.mjs';

const pathOf = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const observer = pathOf('observe.cjs');

/** `--memory` of ours; theirs is always `buffer`. */
const examples = [
  {
    name: 'frames',
    file: pathOf('../../examples/frames.mjs'),
    memory: 'pool',
    small: ['--frames', '20'],
  },
  {
    name: 'cache',
    file: pathOf('../../examples/cache.mjs'),
    memory: 'heap',
    small: ['--megabytes', '16', '--operations', '20000'],
  },
];

function run(file, memory, args) {
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--require', observer, file, '--memory', memory, ...args],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${stderr}`);
  return JSON.parse(stderr.trim().split('\n').at(-1));
}

const measures = ['peakRss', 'longestPause', 'pauses'];

/** For each example, medians of each measure: bytes, and milliseconds. */
export function measureExamples({ rounds, small, wanted }) {
  return examples
    .filter(({ name }) => wanted(`example ${name}`))
    .map(({ name, file, memory, small: args }) => {
      const samples = { ours: [], theirs: [] };
      for (let round = 0; round < rounds; round++) {
        samples.ours.push(run(file, memory, small ? args : []));
        samples.theirs.push(run(file, 'buffer', small ? args : []));
      }
      const row = { name };
      for (const measure of measures) {
        const [ours, theirs] = Object.values(samples).map((all) =>
          median(all.map((one) => one[measure])),
        );
        row[measure] = { ours, theirs, ratio: ours / theirs };
      }
      return row;
    });
}
