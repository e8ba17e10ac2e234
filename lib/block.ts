/** A constructor that returns what it is given, so that a derived class adds its fields to that. */
function given(object: object): object {
  return object;
}
const Given = given as unknown as new (object: object) => object;

/**
 * What a pool knows of a Buffer of its own: fields on the Buffer itself, which cost no look-up, and which
 * nobody outside of this class can see, copy or forge.
 */
export class Block extends Given {
  #pool: object;
  #held = true;

  private constructor(buffer: Buffer, pool: object) {
    super(buffer);
    this.#pool = pool;
  }

  /** Makes `buffer` a block of `pool`, held. */
  static mark(buffer: Buffer, pool: object): void {
    new Block(buffer, pool);
  }

  /** A free block becomes held. */
  static take(buffer: object): void {
    (buffer as Block).#held = true;
  }

  /** A held block of `pool` becomes free; false if it is not one. */
  static release(buffer: object, pool: object): boolean {
    if (!(#held in buffer) || !buffer.#held || buffer.#pool !== pool) return false;
    buffer.#held = false;
    return true;
  }
}
