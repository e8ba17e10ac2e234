import { AsyncResource } from 'node:async_hooks';
import { setTimeout } from 'node:timers';
import { native } from './native';

const QUIET_MS = 100;

let wanted = false;
// One timer for good, made as this module loads, and restarted in the async context of that moment. A timer made
// later would keep alive what the program has in its AsyncLocalStorage then, and may be a fake one of a test.
const now = new AsyncResource('miheap');
now.emitDestroy(); // nothing is open: test runners list what is
const timer = setTimeout(() => {
  if (wanted) wanted = !native.collectIfIdle();
  if (wanted) restart();
}, QUIET_MS);
timer.unref();

function restart(): void {
  now.runInAsyncScope(() => timer.refresh());
}

/** The addon calls this after a burst of frees. */
function requestCollect(): void {
  wanted = true;
  restart();
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
