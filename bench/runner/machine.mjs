import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

/** Where the system makes large pages: always, madvise (on request), or never. */
function largePages() {
  try {
    const modes = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8');
    return /\[(\w+)\]/.exec(modes)[1];
  } catch {
    return 'never';
  }
}

/** What must be equal for two results to be compared. */
export function machine() {
  const [{ model }] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${cpus().length} x ${model.trim()}, ${memory}, Linux ${release()}, large pages: ${largePages()}`;
}
