import { MessageChannel } from 'node:worker_threads';

/**
 * The buffers of no bytes that heaps have handed out, and whose they are. They take no memory, and no
 * address tells them apart, so the addon does not know them.
 */
const owners = new WeakMap<ArrayBuffer, object>();

/** One more, for `owner`. */
export function emptyBuffer(owner: object): ArrayBuffer {
  const buffer = new ArrayBuffer(0);
  owners.set(buffer, owner);
  return buffer;
}

/** Whether `value` is one of `owner`'s, and alive. */
export function isEmptyOf(owner: object, value: unknown): boolean {
  return ownerOf(value) === owner && !isDetached(value as ArrayBuffer);
}

/** The addon cannot tell: to Node before 18.13 every buffer of no bytes is detached. */
function isDetached(buffer: ArrayBuffer): boolean {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

export function ownerOf(value: unknown): object | undefined {
  return owners.get(value as ArrayBuffer);
}

/** Detaches `value`; false if it is not one of `owner`'s, or detached. */
export function removeEmptyOf(owner: object, value: unknown): boolean {
  if (!isEmptyOf(owner, value)) return false;
  const buffer = value as ArrayBuffer;
  detach(buffer);
  owners.delete(buffer);
  return true;
}

function detach(buffer: ArrayBuffer): void {
  if (typeof structuredClone === 'function') {
    structuredClone(buffer, { transfer: [buffer] });
    return;
  }
  // Some test environments have none (jsdom).
  const { port1 } = new MessageChannel();
  port1.postMessage(buffer, [buffer]);
  port1.close();
}
