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

  has(buffer: unknown): boolean {
    return this.#buffers.has(buffer as ArrayBuffer);
  }

  /** Detaches `buffer`, which must not be detached; false if it is not one of these. */
  remove(buffer: unknown): boolean {
    if (!this.#buffers.delete(buffer as ArrayBuffer)) return false;
    structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    return true;
  }
}
