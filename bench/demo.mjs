// npm run demo: the same work in several ways, each in a process of its own, side by side.
//
// Every file under node_modules is read into buffers on two worker threads and hashed; half of the
// buffers are kept and half freed; and again. Everything in the table is measured.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { preloadLibrary } from '../dist/shipped.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const work = fileURLToPath(new URL('demo-work.mjs', import.meta.url));
const program = (buffers) => [process.execPath, '--expose-gc', work, buffers];

const variants = [
  { name: 'miheap Heap', command: program('heap') },
  { name: "Node's Buffer", command: program('node') },
];
if (preloadLibrary() === undefined) {
  console.log('There is no library to preload on this platform: no run under npx miheap run.\n');
} else {
  variants.push({
    name: "Node's Buffer, npx miheap run",
    command: ['npx', '--no', 'miheap', 'run', '--', ...program('node')],
  });
}

function measure({ name, command: [file, ...args] }) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve({ name, ...JSON.parse(output) });
      else reject(new Error(`${name} ended with code ${code}`));
    });
  });
}

const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

function print(results) {
  const rows = [
    ['', 'time', 'peak RSS', 'RSS after all is dropped', 'off-heap bytes held'],
    ...results.map(({ name, milliseconds, peakRss, rss, heldBytes }) => [
      name,
      `${(milliseconds / 1000).toFixed(2)} s`,
      megabytes(peakRss),
      megabytes(rss),
      String(heldBytes),
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    const cells = row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]),
    );
    console.log(cells.join('   '));
  }
}

const results = [];
for (const variant of variants) results.push(await measure(variant));

const [{ files, bytes, rounds, threads, digest }] = results;
console.log(
  `${files} files under node_modules, ${megabytes(bytes)}, ` +
    `read and hashed ${rounds} times on ${threads} threads\n`,
);
print(results);

for (const result of results) {
  if (result.digest !== digest) {
    console.error(`\n${result.name} read something else: ${result.digest}, not ${digest}`);
    process.exitCode = 1;
  }
  if (result.heldBytes !== 0) {
    console.error(`\n${result.name} still holds ${result.heldBytes} bytes`);
    process.exitCode = 1;
  }
}
