// Shows results again that bench/run.mjs has written.
//
//   node bench/report.mjs FILE...   a later file's workloads take the place of an earlier one's
import { readFileSync } from 'node:fs';
import { fail } from './runner/fail.mjs';
import { printResults } from './runner/table.mjs';

const files = process.argv.slice(2);
if (files.length === 0) fail('which files?');
const [first, ...others] = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));

const workloads = new Map(first.workloads.map((each) => [each.name, each]));
for (const other of others) {
  if (other.machine !== first.machine) fail('these results are from different machines');
  if (other.allocators.join() !== first.allocators.join()) fail('the allocators are not the same');
  for (const each of other.workloads) workloads.set(each.name, each);
}
console.log(first.machine);
printResults({
  ...first,
  workloads: [...workloads.values()],
  failures: [first, ...others].flatMap(({ failures }) => failures),
});
