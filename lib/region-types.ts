import type { Heap } from './heap';

/** What a {@link Region} is made with. */
export interface RegionOptions {
  /**
   * Bytes that the region takes from the allocator at a time: an integer from 1 to 2 ** 30. A larger buffer
   * gets a chunk of its own. Default: 262,144.
   */
  chunkSize?: number | undefined;
  /**
   * The most bytes that the chunks may have together: an integer from 0 to 2 ** 53 - 1. Default: no limit but
   * that of `heap`.
   */
  limit?: number | undefined;
  /** The heap that the chunks come from, whose limit counts, too. Default: a heap that all regions share. */
  heap?: Heap | undefined;
  /** The region's name in messages. Default: ''. */
  name?: string | undefined;
}

/** What a {@link Region} holds. */
export interface RegionStats {
  /**
   * Bytes of the chunks that the region holds. One that was freed or moved away counts until `reset`, or a rewind past
   * it.
   */
  bytes: number;
  /**
   * Bytes that were handed out, each buffer rounded up to a multiple of 8, and what an alignment skipped; at most
   * `bytes`.
   */
  used: number;
  /** Chunks that the region holds. */
  chunks: number;
}
