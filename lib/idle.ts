import { AsyncResource } from 'node:async_hooks';
import { setTimeout } from 'node:timers';
import { native } from './native';

const QUIET_MS = 100;

let wanted = false;
// One for good, made now, and started again in the context of now: it would keep alive what the program has in its
// AsyncLocalStorage later. And what is made later may be a test's own kind of timer.
const now = new AsyncResource('miheap');
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
 * no block has come or gone for a while, and collects. Keeps no process alive. As long as `owner` lives: the addon
 * itself does not keep what it calls, which is part of what a test environment leaves behind.
 */
export function collectWhenIdle(owner: object): void {
  Object.defineProperty(owner, Symbol('miheap.requestCollect'), { value: requestCollect });
  native.onCollectWanted(requestCollect);
}
