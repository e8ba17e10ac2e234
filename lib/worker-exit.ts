import { isMainThread } from 'node:worker_threads';
import type { Native } from './native';

const key = Symbol.for('miheap.ends');

/**
 * In a worker of Node, tells `native` that it is in one, and when it exits. Bun and Deno end an environment
 * in other ways. The process object has one listener, however often this module is loaded.
 */
export function tellOfWorkerExit(native: Native): void {
  if (isMainThread || process.versions.bun || process.versions.deno) return;
  native.enableSentinel();
  const shared = process as { [key]?: Native[] };
  const told = shared[key];
  if (told !== undefined) {
    told.push(native);
    return;
  }
  const all = [native];
  Object.defineProperty(shared, key, { value: all });
  // Prepended, because a listener that throws, or calls process.exit, is the last one that runs. A program may
  // also emit `exit` itself, and go on.
  process.prependListener('exit', () => {
    if (!(process as { _exiting?: boolean })._exiting) return;
    for (const each of all) each.beforeEnd();
  });
}
