// One workload under all allocators.
import { isPreloaded, measure } from './measure.mjs';
import { progress } from './progress.mjs';

/**
 * Runs a workload `rounds` times under each allocator. Another one goes first each round, since a
 * machine's speed drifts. What fails once under an allocator has no samples for it.
 */
export function compare(launcher, workload, allocators, rounds) {
  const samples = Object.fromEntries(allocators.map(({ name }) => [name, []]));
  const failures = new Map();
  const { name, loads = [workload.command[0]] } = workload;
  for (const { name: allocator, library } of allocators) {
    if (library !== undefined && !loads.every((file) => isPreloaded(file, library))) {
      failures.set(allocator, 'the library is not loaded');
    }
  }
  let expected;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < allocators.length; i++) {
      const allocator = allocators[(i + round) % allocators.length];
      if (failures.has(allocator.name)) continue;
      progress.show(`${name}, round ${round + 1} of ${rounds}, ${allocator.name}`);
      const { error, result, ...used } = measure(launcher, workload, allocator);
      expected ??= result;
      if (error !== undefined) failures.set(allocator.name, error);
      else if (result !== expected) failures.set(allocator.name, 'another result than before');
      else samples[allocator.name].push(used);
    }
  }
  for (const allocator of failures.keys()) samples[allocator] = [];
  return {
    samples,
    failures: [...failures].map(([allocator, error]) => ({ name, allocator, error })),
  };
}
