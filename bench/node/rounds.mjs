// Measures contenders side by side: warm-up, then rounds that take turns, so that whatever else the
// machine does meets all of them alike.
import { median } from '../runner/summary.mjs';

const thorough = { rounds: 15, roundMs: 25, warmUpMs: 150 };
const quick = { rounds: 1, roundMs: 1, warmUpMs: 1 };

/** Milliseconds that `action` takes for `count` operations. */
function time(action, count) {
  const start = performance.now();
  action(count);
  return performance.now() - start;
}

/** How many operations make a round. */
function calibrate(action, { roundMs, warmUpMs }) {
  let count = 8;
  let spent = 0;
  for (;;) {
    const took = time(action, count);
    spent += took;
    if (spent > warmUpMs && took > roundMs / 4) {
      return Math.max(1, Math.round((count * roundMs) / took));
    }
    if (took < roundMs) count *= 2;
  }
}

/**
 * Nanoseconds per operation of each contender: `{ name: (count) => … }`. What the garbage collector does
 * during a round counts: rounds are long enough to pay for the garbage that they make.
 */
export function measure(contenders, isQuick) {
  const effort = isQuick ? quick : thorough;
  const lanes = Object.entries(contenders).map(([name, action]) => ({
    name,
    action,
    count: calibrate(action, effort),
    times: [],
  }));
  for (let round = 0; round < effort.rounds; round++) {
    for (const lane of round % 2 === 0 ? lanes : [...lanes].reverse()) {
      lane.times.push((time(lane.action, lane.count) * 1e6) / lane.count);
    }
  }
  return Object.fromEntries(lanes.map(({ name, times }) => [name, median(times)]));
}
