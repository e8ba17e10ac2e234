// A pipeline of video frames: capture, convert to gray, shrink to a thumbnail, and hash that.
// All frames of one kind are of one size, so their buffers come from a Pool each. `max` bounds the memory:
// when the later stages are slow, capture waits in acquireAsync instead of piling up frames.
//
//   node examples/frames.mjs [--frames 300] [--width 1920] [--height 1080] [--memory pool|buffer]
//
// With --memory buffer, the same pipeline works in plain Buffers.
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Pool } from 'miheap';

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '300' },
    width: { type: 'string', default: '1920' },
    height: { type: 'string', default: '1080' },
    memory: { type: 'string', default: 'pool' },
  },
});
const frames = Number(values.frames);
const width = Number(values.width);
const height = Number(values.height);
const IN_FLIGHT = 4;
const SHRINK = 8;

/** What the pipeline needs of a pool, in plain Buffers: the garbage collector takes them back. */
class Buffers {
  constructor({ blockSize }) {
    this.blockSize = blockSize;
  }
  acquireAsync() {
    return Buffer.allocUnsafe(this.blockSize);
  }
  release() {}
  destroy() {}
}

const Frames = values.memory === 'pool' ? Pool : Buffers;
const colour = new Frames({ name: 'colour', blockSize: width * height * 4, max: IN_FLIGHT });
const gray = new Frames({ name: 'gray', blockSize: width * height, max: IN_FLIGHT });

/** As a camera would: a picture that moves. */
function capture(frame, number) {
  const pixels = new Uint32Array(frame.buffer, frame.byteOffset, width * height);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    pixels.fill(((number + y) & 0xff) * 0x010101, row, row + width);
  }
}

function toGray(from, to) {
  for (let i = 0, at = 0; i < to.length; i++, at += 4) {
    to[i] = (from[at] * 77 + from[at + 1] * 150 + from[at + 2] * 29) >> 8;
  }
}

function shrink(from, to) {
  let at = 0;
  for (let y = 0; y + SHRINK <= height; y += SHRINK) {
    for (let x = 0; x + SHRINK <= width; x += SHRINK) to[at++] = from[y * width + x];
  }
}

const thumbnail = Buffer.alloc(Math.floor(width / SHRINK) * Math.floor(height / SHRINK));
const hash = createHash('sha256');

async function finish(frame) {
  const image = await gray.acquireAsync();
  toGray(frame, image);
  colour.release(frame);
  await turn();
  shrink(image, thumbnail);
  gray.release(image);
  hash.update(thumbnail);
}

let last = Promise.resolve();
for (let number = 0; number < frames; number++) {
  const frame = await colour.acquireAsync();
  capture(frame, number);
  // Frames pass one after the other; capture is ahead of them by as much as the pool has.
  last = last.then(() => finish(frame));
  await turn();
}
await last;

colour.destroy();
gray.destroy();
console.log(JSON.stringify({ frames, memory: values.memory, hash: hash.digest('hex') }));
