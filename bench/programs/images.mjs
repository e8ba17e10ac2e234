// node images.mjs FOLDER COUNT: a picture is turned into thumbnails of several kinds, a few at a time,
// by the sharp that is installed in FOLDER.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, count] = process.argv.slice(2);
const sharp = createRequire(join(folder, 'package.json'))('sharp');
// What sharp chooses by itself depends on the allocator.
sharp.concurrency(2);
sharp.cache(false);

const [width, height] = [1600, 1200];
const pixels = Buffer.alloc(width * height * 3);
for (let i = 0; i < pixels.length; i++) pixels[i] = (i * 31) ^ (i >> 9);
const picture = await sharp(pixels, { raw: { width, height, channels: 3 } })
  .png({ compressionLevel: 1 })
  .toBuffer();

async function thumbnails(n) {
  const made = [800, 400, 200].map((side) => sharp(picture).resize(side + n, side));
  const [a, b, c] = await Promise.all([
    made[0].jpeg({ quality: 80 }).toBuffer(),
    made[1].blur(1.5).webp({ effort: 1 }).toBuffer(),
    made[2].rotate(15).greyscale().png().toBuffer(),
  ]);
  return a.length + b.length + c.length;
}

let bytes = 0;
for (let n = 0; n < Number(count); n += 2) {
  const both = await Promise.all([thumbnails(n), thumbnails(n + 1)]);
  bytes += both[0] + both[1];
}
console.log(bytes);
