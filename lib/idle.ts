import { setTimeout } from 'node:timers';
import { native } from './native';

const QUIET_MS = 100;

/**
 * Makes resident memory fall after a peak even if the program then goes quiet: after a burst of
 * frees, waits until no block has come or gone for a while, and collects. Keeps no process alive.
 */
export function collectWhenIdle(): void {
  native.onCollectWanted(() => {
    const timer = setTimeout(() => {
      if (!native.collectIfIdle()) timer.refresh();
    }, QUIET_MS);
    timer.unref();
  });
}
