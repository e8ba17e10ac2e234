/** A constructor that returns its argument, so that a derived class adds its fields to that object. */
function given(object: object): object {
  return object;
}
const Given = given as unknown as new (object: object) => object;

/**
 * What a pool knows of one of its Buffers: private fields on the Buffer itself, which cost no look-up, and
 * which no code outside of this class can see, copy or forge.
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

  /** Marks a free block as held. */
  static take(buffer: object): void {
    (buffer as Block).#held = true;
  }

  /** Marks a held block of `pool` as free; false if `buffer` is not one. */
  static release(buffer: object, pool: object): boolean {
    if (!(#held in buffer) || !buffer.#held || buffer.#pool !== pool) return false;
    buffer.#held = false;
    return true;
  }
}
