import { readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** The last of the words that says so wins, as in Node, which takes `_` for `-`. */
function isAskedFor(words: readonly string[]): boolean {
  const options = words.map((word) => word.replaceAll('_', '-'));
  return options.lastIndexOf('--zero-fill-buffers') > options.lastIndexOf('--no-zero-fill-buffers');
}

/** The words of a file about the process, where the system has such files. */
function wordsIn(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split(/[\0\s=]+/);
  } catch {
    return [];
  }
}

/**
 * A worker may have an `execArgv` and an `env` of its own, but Node clears memory in it as the process was told to.
 * These words are also the program's own: to clear once too often does no harm.
 */
function isAskedForInProcess(): boolean {
  return isAskedFor([...wordsIn('/proc/self/environ'), ...wordsIn('/proc/self/cmdline')]);
}

/** Whether Node was told to clear the memory of every new buffer, also that of `Buffer.allocUnsafe`. */
export const zeroFills =
  isAskedFor([...(process.env.NODE_OPTIONS ?? '').split(/\s+/), ...process.execArgv]) ||
  (!isMainThread && isAskedForInProcess());
