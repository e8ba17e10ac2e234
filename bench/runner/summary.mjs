// From samples to what they say: medians, means, and the best peer.

export function median(numbers) {
  const sorted = numbers.slice().sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const geometricMean = (numbers) =>
  Math.exp(numbers.reduce((sum, each) => sum + Math.log(each), 0) / numbers.length);

/** The names in `allocators` that have a value of this kind for this workload, with their medians. */
export function medians(workload, kind) {
  const key = kind === 'memory' ? (workload.memory ?? 'peak') : kind;
  return Object.fromEntries(
    Object.entries(workload.samples)
      .filter(([, samples]) => samples.length > 0)
      .map(([name, samples]) => [name, median(samples.map((sample) => sample[key]))]),
  );
}

export const measures = {
  wall: { title: 'time', unit: 'ms', scale: 1000, counts: 'time' },
  cpu: { title: 'CPU time', unit: 'ms', scale: 1000, counts: 'time' },
  memory: {
    title: 'resident memory, peak or at the end',
    unit: 'MiB',
    scale: 1 / 1024,
    counts: 'memory',
  },
  faults: { title: 'page faults', unit: '', scale: 1, counts: 'time' },
};

/** One row for each workload that this measure is for, and the geometric means over all of them. */
export function compare(results, kind) {
  const { allocators } = results;
  const rows = results.workloads
    .filter((workload) => workload.counts.includes(measures[kind].counts))
    .map((workload) => ({ name: workload.name, values: medians(workload, kind) }));
  const complete = rows.filter(({ values }) => allocators.every((name) => values[name] > 0));
  const means = Object.fromEntries(
    allocators.map((name) => [
      name,
      geometricMean(complete.map(({ values }) => values[name] / values.glibc)),
    ]),
  );
  return { rows, means, complete: complete.length };
}

/** The least value of any other allocator, and whose it is. */
export function bestPeer(values, ours = 'miheap') {
  return Object.entries(values)
    .filter(([name]) => name !== ours)
    .reduce((best, [name, value]) => (value < best.value ? { name, value } : best), {
      name: '',
      value: Number.POSITIVE_INFINITY,
    });
}
