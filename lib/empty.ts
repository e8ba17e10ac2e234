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

/** Whether `value` is one of `owner`'s. */
export function isEmptyOf(owner: object, value: unknown): boolean {
  return ownerOf(value) === owner;
}

export function ownerOf(value: unknown): object | undefined {
  return owners.get(value as ArrayBuffer);
}

/** Detaches `value`, which must not be detached; false if it is not one of `owner`'s. */
export function removeEmptyOf(owner: object, value: unknown): boolean {
  if (!isEmptyOf(owner, value)) return false;
  const buffer = value as ArrayBuffer;
  owners.delete(buffer);
  structuredClone(buffer, { transfer: [buffer] });
  return true;
}
