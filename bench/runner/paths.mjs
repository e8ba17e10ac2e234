import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const bench = dirname(dirname(fileURLToPath(import.meta.url)));
export const root = dirname(bench);
/** What is compiled, generated and fetched; git ignores it. */
export const work = join(root, 'build', 'bench');
