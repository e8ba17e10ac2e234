// node --expose-gc buffers.mjs ROUNDS LIVE-MIB: churns through Buffers of all sizes, keeps some, and
// goes quiet. Memory is looked at from outside until the process ends.
import { setTimeout as sleep } from 'node:timers/promises';

const quietMilliseconds = 3000;
const [rounds, liveMib] = process.argv.slice(2).map(Number);

const live = [];
for (let i = 0; i < liveMib * 16; i++) live.push(Buffer.allocUnsafeSlow(1 << 16).fill(1));

let state = 1;
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

for (let round = 0; round < rounds; round++) {
  let dropped = [];
  for (let bytes = 0; bytes < 400 << 20; ) {
    const size = Math.round(4096 * 2 ** (random() * 8));
    dropped.push(Buffer.allocUnsafeSlow(size).fill(round));
    bytes += size;
  }
  dropped = [];
  globalThis.gc();
  await sleep(0);
}
await sleep(quietMilliseconds);
process.exit(live.every((buffer) => buffer[0] === 1) ? 0 : 1);
