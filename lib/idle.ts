import { AsyncResource } from 'node:async_hooks';
import { setTimeout } from 'node:timers';
import { native } from './native';

const QUIET_MS = 100;
// Each call of the addon may take some milliseconds, so half of the time is left to the program.
const PAUSE_MS = 4;

// Two timers for good, made as this module loads, and restarted in a context that holds nothing. Otherwise they would
// keep alive what the program has in its AsyncLocalStorage at some moment. If they were made later, they may be fake
// ones of a test. They call the addon, and nothing here, so that a test environment can be collected before they come.
const [outside, quiet, pause] = native.callOutside(
  () =>
    [
      new AsyncResource('miheap'),
      setTimeout(native.collectIfIdle, QUIET_MS),
      setTimeout(native.collectIfIdle, PAUSE_MS),
    ] as const,
);
outside.emitDestroy(); // nothing is open: test runners list what is
quiet.unref();
pause.unref();

/** The addon calls this when it wants to be called: soon, or in a while. */
function requestCollect(soon: boolean): void {
  outside.runInAsyncScope(() => (soon ? pause : quiet).refresh());
}

/**
 * Makes resident memory fall after a peak even if the program then goes quiet: after a burst of frees, waits until
 * no block has come or gone for a while, and collects. Keeps no process alive. Lasts as long as `owner` lives: the
 * addon holds the callback weakly, so that a test environment that was left behind can be collected.
 */
export function collectWhenIdle(owner: object): void {
  Object.defineProperty(owner, Symbol('miheap.requestCollect'), { value: requestCollect });
  native.onCollectWanted(requestCollect);
}
