// Prints what collectMiheapMetrics says where prom-client is `missing`, is something `other`, or is as
// it should be.
const Module = require('node:module');

const resolve = Module._resolveFilename;
const replacement = { missing: './no-such-file', other: 'node-gyp-build' }[process.argv[2]];
Module._resolveFilename = (name, ...rest) =>
  resolve(name === 'prom-client' && replacement ? replacement : name, ...rest);

const { MiheapError } = require('miheap');
const { collectMiheapMetrics } = require('miheap/prometheus');

async function main() {
  collectMiheapMetrics();
  const { register } = require('prom-client');
  const { values } = await register.getSingleMetric('miheap_committed_bytes').get();
  const labels = values.map(({ labels }) => labels.allocator);
  return { labels, committed: values.every(({ value }) => value > 0) };
}

main()
  .catch((error) => {
    if (!(error instanceof MiheapError)) throw error;
    const { code, name, message } = error;
    return { code, name, message };
  })
  .then((result) => console.log(JSON.stringify(result)));
