import { expectTypeOf } from 'expect-type';
import { type OffHeapBuffer, Pool, type PoolOptions, type PoolStats } from 'miheap';

expectTypeOf(Pool).toBeConstructibleWith({ blockSize: 4096 });
expectTypeOf<PoolOptions>().toEqualTypeOf<{
  blockSize: number;
  max?: number | undefined;
  prefill?: number | undefined;
  poison?: boolean | undefined;
  align?: number | undefined;
  name?: string | undefined;
}>();
// @ts-expect-error: blocks of which size?
new Pool();
// @ts-expect-error: blocks of which size?
new Pool({ max: 5 });

const pool = new Pool({ blockSize: 4096, max: 10, prefill: 2, poison: true, align: 64, name: 'a' });
expectTypeOf(pool.name).toEqualTypeOf<string>();
expectTypeOf(pool.blockSize).toEqualTypeOf<number>();
expectTypeOf(pool.max).toEqualTypeOf<number>();
expectTypeOf(pool.destroyed).toEqualTypeOf<boolean>();
expectTypeOf(pool.acquire()).toEqualTypeOf<OffHeapBuffer>();
expectTypeOf(pool.acquireAsync()).toEqualTypeOf<Promise<OffHeapBuffer>>();
expectTypeOf(pool.acquireAsync).toBeCallableWith(new AbortController().signal);
expectTypeOf(pool.release(pool.acquire().buffer)).toEqualTypeOf<void>();
expectTypeOf(pool.release).toBeCallableWith(new Float64Array(pool.acquire().buffer));
expectTypeOf(pool.stats()).toEqualTypeOf<PoolStats>();
expectTypeOf(pool.destroy()).toEqualTypeOf<void>();
// @ts-expect-error: a string is no buffer
pool.release('text');
// @ts-expect-error: all blocks have one size
pool.acquire(100);
// @ts-expect-error: it stays as it is
pool.blockSize = 100;
