// Our own workloads: what there is to run, and what counts about each.

/**
 * A row is one program of bench/workloads with its arguments; `size` and `threads` are those of the
 * program unless given here; `several` says that those are more than one thread. `quick` is a size
 * for a smoke test.
 *
 * `counts` says what the row is for: time and memory by default. `memory` is `peak`, or `end` for
 * programs that go quiet and are looked at then; `live` is what those still hold, and the row that
 * does the same without holding or churning anything. `slow` ones sleep: not for a smoke test.
 */
const rows = [
  { name: 'algebra', quick: 5 },
  { name: 'interpreter', quick: 1 },
  { name: 'logic', quick: 20 },
  { name: 'bodies', quick: 500 },
  { name: 'containers', quick: 50_000 },
  { name: 'simple', quick: 2000 },
  { name: 'simple-threads', program: 'simple', threads: 4, size: 60_000, quick: 1000 },
  { name: 'weighted', quick: 200_000 },
  { name: 'weighted-threads', program: 'weighted', threads: 4, size: 10_000_000, quick: 50_000 },
  { name: 'replace', quick: 200_000 },
  { name: 'replace-threads', program: 'replace', threads: 4, size: 10_000_000, quick: 50_000 },
  { name: 'batches', several: true, quick: 100 },
  { name: 'batches-handed', several: true, program: 'batches', mode: 'handed', quick: 100 },
  { name: 'generations', several: true, quick: 1000 },
  { name: 'exchange', several: true, quick: 2000 },
  { name: 'ageing', several: true, quick: 100 },
  { name: 'remote', several: true, quick: 500 },
  { name: 'remote-threads', program: 'remote', threads: 8, size: 10_000, quick: 100 },
  { name: 'short-threads', several: true, quick: 200 },
  { name: 'cache-thrash', several: true, program: 'sharing', quick: 1000 },
  { name: 'cache-scratch', several: true, program: 'sharing', mode: 'scratch', quick: 1000 },
  { name: 'large', quick: 200 },
  { name: 'large-written', program: 'large', mode: 'written', size: 300, quick: 5 },
  { name: 'growth', quick: 100 },
  { name: 'aligned', quick: 20_000 },
  { name: 'zeroed', quick: 5000 },
  { name: 'fragmentation', quick: 2000 },
  { name: 'quiet', memory: 'end', live: { mib: 22, baseline: 'hello' }, slow: true },
  {
    name: 'scattered',
    counts: ['memory'],
    memory: 'end',
    live: { mib: 22, baseline: 'hello' },
    slow: true,
  },
  { name: 'hello', counts: ['memory'] },
  { name: 'modest-threads', several: true, counts: ['memory'], quick: 10 },
];

/** The arguments of each row as they follow from the options of the command line. */
export function ownWorkloads({ size, threads, quick }) {
  return rows
    .filter((row) => !(quick && row.slow))
    .map((row) => {
      const program = row.program ?? row.name;
      const args = [
        size ?? (quick ? row.quick : row.size) ?? '',
        threads ?? row.threads ?? '',
        row.mode ?? '',
      ];
      return {
        name: row.name,
        program,
        args: args.map(String),
        counts: row.counts ?? ['time', 'memory'],
        memory: row.memory ?? 'peak',
        live: row.live,
        singleThread: row.several === undefined && row.threads === undefined && !row.slow,
        checksum: true,
      };
    });
}
