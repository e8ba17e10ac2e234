// Random operations on regions, with a model of what each buffer holds. The seed is an argument.
const { Region, processStats } = require('miheap');
const { codeOf, demand } = require('./demand');

const random = require('./random')(Number(process.argv[2]));
const expected = ['ERR_MIHEAP_LIMIT', 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'];
const types = [Uint8Array, Uint16Array, Float64Array];

function allocate(region) {
  const size = random(random(4) > 0 ? 300 : 6000);
  if (random(5) > 0) return region.alloc(size);
  return random(2) > 0
    ? region.alloc(size, 2 ** random(8))
    : region.allocTyped(types[random(3)], size >> 3);
}

/** Live buffers: { bytes, size, tag }; and marks: { mark, count, stats }, `count` buffers before it. */
function storm(region) {
  let live = [];
  let marks = [];

  const add = () => {
    let made;
    const code = codeOf(() => {
      made = allocate(region);
    });
    if (made === undefined) return demand(expected.includes(code), code);
    const bytes = new Uint8Array(made.buffer, made.byteOffset, made.byteLength);
    demand(
      bytes.every((byte) => byte === 0),
      'not zero',
    );
    const tag = 1 + random(255);
    if (bytes.length > 0) live.push({ bytes: bytes.fill(tag), size: bytes.length, tag });
  };
  const dead = (buffers) =>
    demand(
      buffers.every(({ bytes }) => bytes.length === 0),
      'still attached',
    );
  const stale = (gone) => {
    for (const { mark } of gone) {
      demand(codeOf(() => region.rewind(mark)) === 'ERR_MIHEAP_STALE_MARK', 'not stale');
    }
  };
  const rewind = () => {
    const index = random(marks.length);
    const { mark, count, stats } = marks[index];
    region.rewind(mark);
    dead(live.splice(count));
    demand(JSON.stringify(region.stats()) === stats, 'stats');
    stale(marks.splice(index + 1).filter((later) => later.count > count));
  };
  const reset = () => {
    region.reset();
    dead(live);
    stale(marks);
    live = [];
    marks = [];
  };

  for (let step = 0; step < 300; step++) {
    const kind = random(200);
    if (kind < 150) add();
    else if (kind < 170) {
      marks.push({
        mark: region.mark(),
        count: live.length,
        stats: JSON.stringify(region.stats()),
      });
    } else if (kind < 198) marks.length > 0 && rewind();
    else reset();
    for (const { bytes, size, tag } of live) {
      demand(bytes.length === size, 'ended by itself');
      demand(
        bytes[0] === tag && bytes[size >> 1] === tag && bytes[size - 1] === tag,
        'overwritten',
      );
    }
  }
  region.destroy();
  dead(live);
}

for (let run = 0; run < 40; run++) {
  storm(
    new Region({
      chunkSize: 1 + random(5000),
      limit: random(3) === 0 ? 20_000 : Number.POSITIVE_INFINITY,
    }),
  );
}
const { heldBytes, heldBlocks } = processStats();
console.log(JSON.stringify({ heldBytes, heldBlocks }));
