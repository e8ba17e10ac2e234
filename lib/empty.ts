import { MessageChannel } from 'node:worker_threads';

/**
 * The empty buffers that heaps have handed out, and their heaps. They take no memory, and no address tells
 * them apart, so the addon does not know them.
 */
const owners = new WeakMap<ArrayBuffer, object>();

/** Makes an empty buffer of `owner`. */
export function emptyBuffer(owner: object): ArrayBuffer {
  const buffer = new ArrayBuffer(0);
  owners.set(buffer, owner);
  return buffer;
}

/** Whether `value` is an empty buffer of `owner`, and not detached. */
export function isEmptyOf(owner: object, value: unknown): boolean {
  return ownerOf(value) === owner && !isDetached(value as ArrayBuffer);
}

/** Node-API cannot tell: before Node 18.13, it says that every empty buffer is detached. */
function isDetached(buffer: ArrayBuffer): boolean {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** The heap of `value`, if that is an empty buffer. */
export function ownerOf(value: unknown): object | undefined {
  return owners.get(value as ArrayBuffer);
}

/** Detaches `value`; false if it is no empty buffer of `owner`, or detached already. */
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
  // Some test environments have no structuredClone (jsdom).
  const { port1 } = new MessageChannel();
  port1.postMessage(buffer, [buffer]);
  port1.close();
}
