// Preloaded into an example: prints at its end what it took, as a line of JSON on stderr.
const { PerformanceObserver } = require('node:perf_hooks');

let longestPause = 0;
let pauses = 0;
function note(entries) {
  for (const { duration } of entries) {
    longestPause = Math.max(longestPause, duration);
    pauses += duration;
  }
}
const observer = new PerformanceObserver((list) => note(list.getEntries()));
observer.observe({ entryTypes: ['gc'] });

process.on('exit', () => {
  note(observer.takeRecords());
  const peakRss = process.resourceUsage().maxRSS * 1024;
  process.stderr.write(`${JSON.stringify({ peakRss, longestPause, pauses })}\n`);
});
