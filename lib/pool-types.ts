/** What a {@link Pool} is made with. */
export interface PoolOptions {
  /** Bytes of each block: an integer from 1 to `buffer.constants.MAX_LENGTH`. */
  blockSize: number;
  /** The most blocks that may exist at one time: an integer of at least 1. Default: no limit. */
  max?: number | undefined;
  /** Blocks that the constructor makes: an integer from 0 to `max`. Default: 0. */
  prefill?: number | undefined;
  /**
   * Whether released blocks are filled with a pattern, so that a write to one is found. Costs a pass over
   * the block at each `release` and each `acquire`. Default: false.
   */
  poison?: boolean | undefined;
  /** What block addresses are multiples of: a power of two from 1 to 2 ** 30. Default: the natural alignment. */
  align?: number | undefined;
  /** The pool's name in messages. Default: ''. */
  name?: string | undefined;
}

/** What a {@link Pool} has. */
export interface PoolStats {
  /** Blocks that exist, free or held. */
  blocks: number;
  /** Blocks that were acquired and not released. */
  held: number;
  /** Blocks that wait to be acquired. */
  free: number;
  /** Bytes of all blocks, free or held. */
  bytes: number;
  /** Calls of `acquireAsync` that wait. */
  waiting: number;
  /** Blocks made since the pool was made. */
  created: number;
  /** Blocks that the pool has lost: dropped without release, transferred away, or spoilt. */
  lost: number;
}
