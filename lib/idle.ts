import { AsyncResource } from 'node:async_hooks';
import { setTimeout } from 'node:timers';
import { native } from './native';

const QUIET_MS = 100;

// One timer for good, made as this module loads, and restarted in a context that holds nothing. Otherwise it would
// keep alive what the program has in its AsyncLocalStorage at some moment. If it was made later, it may be a fake one
// of a test. It calls the addon, and nothing here, so that a test environment can be collected before it comes.
const [outside, timer] = native.callOutside(
  () => [new AsyncResource('miheap'), setTimeout(native.collectIfIdle, QUIET_MS)] as const,
);
outside.emitDestroy(); // nothing is open: test runners list what is
timer.unref();

/** The addon calls this when it wants to be called in a while. */
function requestCollect(): void {
  outside.runInAsyncScope(() => timer.refresh());
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
