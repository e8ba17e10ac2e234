/** What a {@link Pool} is made with. */
export interface PoolOptions {
  /** Bytes of each block: an integer from 1 to `buffer.constants.MAX_LENGTH`. */
  blockSize: number;
  /** The most blocks that may exist at one time: an integer of at least 1. Default: no limit. */
  max?: number | undefined;
  /** Blocks that are made at once: an integer from 0 to `max`. Default: 0. */
  prefill?: number | undefined;
  /**
   * Whether released blocks are filled with a pattern, so that a write to one is found. Costs a pass over
   * the block at each `release` and each `acquire`. Default: false.
   */
  poison?: boolean | undefined;
  /** Block addresses are multiples of it: a power of two from 1 to 2^30. Default: the natural one. */
  align?: number | undefined;
  /** What the pool is called in messages. Default: ''. */
  name?: string | undefined;
}

/** What a {@link Pool} has. */
export interface PoolStats {
  /** Blocks that exist, free or held. */
  blocks: number;
  /** Of these, blocks that were acquired and not released. */
  held: number;
  /** Of these, blocks that wait to be acquired. */
  free: number;
  /** Bytes of all of them. */
  bytes: number;
  /** Calls of `acquireAsync` that wait. */
  waiting: number;
  /** Blocks made since the pool was made. */
  created: number;
  /** Of these, blocks that the pool lost: dropped without release, transferred away, or spoilt. */
  lost: number;
}
