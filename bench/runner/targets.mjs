// What miheap promises about time and memory, and whether these results keep it.
import { bestPeer, compare, medians } from './summary.mjs';

const percent = (ratio) => `${((ratio - 1) * 100).toFixed(1)} %`;
const mib = (kib) => `${(kib / 1024).toFixed(1)} MiB`;

function time(results) {
  const { rows, means, complete } = compare(results, 'wall');
  if (complete === 0) return [];
  const best = bestPeer(means);
  const behind = rows
    .map(({ name, values }) => ({ name, peer: bestPeer(values), ours: values.miheap }))
    .filter(({ peer, ours }) => ours > 1.05 * peer.value)
    .sort((a, b) => b.ours / b.peer.value - a.ours / a.peer.value);
  return [
    {
      name: 'mean time is 10 % below that of the best peer',
      holds: means.miheap <= 0.9 * best.value,
      found: `${percent(means.miheap / best.value)} against ${best.name}, ${complete} workloads`,
    },
    {
      name: 'no workload is more than 5 % slower than the best peer',
      holds: behind.length === 0,
      found: behind
        .map(({ name, peer, ours }) => `${name} ${percent(ours / peer.value)} (${peer.name})`)
        .join(', '),
    },
  ];
}

function memory(results) {
  const { means, complete } = compare(results, 'memory');
  if (complete === 0) return [];
  const below = Object.entries(means).filter(
    ([name, mean]) => name !== 'miheap' && mean < means.miheap,
  );
  return [
    {
      name: 'mean memory is below that of all peers but one, and of that one plus 5 %',
      holds: below.length <= 1 && below.every(([, mean]) => means.miheap <= 1.05 * mean),
      found:
        below.map(([name, mean]) => `${percent(means.miheap / mean)} against ${name}`).join(', ') ||
        'below all',
    },
  ];
}

/** A target about one workload, if it was run. */
function about(results, workload, kind, name, judge) {
  const found = results.workloads.find((each) => each.name === workload);
  const values = found && medians(found, kind);
  return values?.miheap > 0 && values.glibc > 0 ? [{ name, ...judge(values, found) }] : [];
}

function quiet(results, { name, live }) {
  const still = results.workloads.find((each) => each.name === live.baseline);
  const baseline = still && medians(still, 'memory').miheap;
  if (baseline === undefined) return [];
  const allowed = 1.25 * live.mib * 1024 + 16 * 1024 + baseline;
  return about(results, name, 'memory', `${name}: memory comes back without a call`, (values) => ({
    holds: values.miheap <= allowed,
    found: `${mib(values.miheap)}, allowed ${mib(allowed)}`,
  }));
}

/** @returns {{ name: string, holds: boolean, found: string }[]} */
export function targets(results) {
  return [
    ...time(results),
    ...memory(results),
    ...about(results, 'hello', 'memory', 'hello world within 1 MiB of glibc', (values) => ({
      holds: values.miheap <= values.glibc + 1024,
      found: `${mib(values.miheap)}, glibc ${mib(values.glibc)}`,
    })),
    ...about(results, 'modest-threads', 'memory', '100 threads within twice glibc', (values) => ({
      holds: values.miheap <= 2 * values.glibc,
      found: `${mib(values.miheap)}, glibc ${mib(values.glibc)}`,
    })),
    ...about(results, 'start-up', 'wall', 'start-up within 1 ms of glibc', (values) => ({
      holds: values.miheap <= values.glibc + 0.001,
      found: `${((values.miheap - values.glibc) * 1000).toFixed(2)} ms more`,
    })),
    ...results.workloads
      .filter(({ live }) => live !== undefined)
      .flatMap((row) => quiet(results, row)),
  ];
}
