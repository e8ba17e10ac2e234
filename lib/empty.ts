/**
 * The buffers of no bytes that a heap has handed out. They take no memory, and no address tells
 * them apart, so the addon does not know them.
 */
export class EmptyBuffers {
  readonly #buffers = new WeakSet<ArrayBuffer>();

  add(): ArrayBuffer {
    const buffer = new ArrayBuffer(0);
    this.#buffers.add(buffer);
    return buffer;
  }

  has(buffer: ArrayBuffer): boolean {
    return buffer.byteLength === 0 && this.#buffers.has(buffer);
  }

  /** Detaches `buffer`; false if it is not one of these, or no longer. */
  remove(buffer: ArrayBuffer): boolean {
    if (buffer.byteLength !== 0 || !this.#buffers.delete(buffer)) return false;
    structuredClone(buffer, { transfer: [buffer] });
    return true;
  }
}
