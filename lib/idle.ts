import { setTimeout } from 'node:timers';
import { native } from './native';

const QUIET_MS = 100;

/**
 * Makes resident memory fall after a peak even if the program then goes quiet: after a burst of
 * frees, waits until no block has come or gone for a while, and collects. Keeps no process alive.
 */
export function collectWhenIdle(): void {
  let wanted = false;
  // One for good, made now: what is made later would keep alive what the program has in its AsyncLocalStorage then, and
  // may be a test's own kind of timer.
  const timer = setTimeout(() => {
    if (wanted) wanted = !native.collectIfIdle();
    if (wanted) timer.refresh();
  }, QUIET_MS);
  timer.unref();
  native.onCollectWanted(() => {
    wanted = true;
    timer.refresh();
  });
}
