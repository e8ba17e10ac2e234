// Shows results again that bench/run.mjs has written, and draws them.
//
//   node bench/report.mjs [--plots FOLDER] FILE...
//
//   --plots FOLDER   also draws time.svg and memory.svg there, and the curves, if a file has any
//
// A later file's workloads take the place of an earlier one's.
import { readFileSync } from 'node:fs';
import { fail } from './runner/fail.mjs';
import { parseOptions } from './runner/options.mjs';
import { printResults, printScaling } from './runner/table.mjs';

const { values: options, positionals } = parseOptions(import.meta.url, {
  options: { plots: { type: 'string' } },
  allowPositionals: true,
});
if (positionals.length === 0) fail('which files?');
const files = positionals.map((file) => JSON.parse(readFileSync(file, 'utf8')));
const [first, ...others] = files.filter(({ workloads }) => workloads !== undefined);
const results = { ...first, scaling: files.flatMap(({ scaling = [] }) => scaling) };

if (first !== undefined) {
  const workloads = new Map(first.workloads.map((each) => [each.name, each]));
  for (const other of others) {
    if (other.machine !== first.machine) fail('these results are from different machines');
    if (other.allocators.join() !== first.allocators.join()) fail('other allocators than before');
    for (const each of other.workloads) workloads.set(each.name, each);
  }
  results.workloads = [...workloads.values()];
  results.failures = [first, ...others].flatMap(({ failures }) => failures);
  console.log(first.machine);
  printResults(results);
}
if (results.scaling.length > 0) printScaling(results.scaling);
if (options.plots !== undefined) {
  // Only here, so that a run needs no packages.
  const { drawResults } = await import('./runner/plot.mjs');
  drawResults(results, options.plots);
}
