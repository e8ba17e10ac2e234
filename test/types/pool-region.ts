import { expectTypeOf } from 'expect-type';
import { Pool, Region, type RegionLimitError, type RegionMark } from 'miheap';

const pool = new Pool({
  blockSize: 100,
  max: 3,
  prefill: 1,
  poison: true,
  align: 64,
  name: 'blocks',
});
expectTypeOf(pool.acquire()).toEqualTypeOf<Buffer>();
expectTypeOf(pool.acquireAsync(AbortSignal.timeout(1))).toEqualTypeOf<Promise<Buffer>>();
expectTypeOf(pool.stats().held).toEqualTypeOf<number>();
pool.release(new Float32Array(4));
pool.release(new ArrayBuffer(4));
// @ts-expect-error a block size is needed
new Pool({});
// @ts-expect-error strings are no buffers
pool.release('text');

const region = new Region({ chunkSize: 4096, limit: 1e6, name: 'request' });
expectTypeOf(region.alloc(10)).toEqualTypeOf<Buffer>();
expectTypeOf(region.allocTyped(Float64Array, 10)).toExtend<Float64Array>();
expectTypeOf(region.allocTyped(BigInt64Array, 10)).toExtend<BigInt64Array>();
expectTypeOf(region.mark()).toEqualTypeOf<RegionMark>();
// @ts-expect-error no typed array
region.allocTyped(DataView, 10);
// @ts-expect-error marks come from mark()
region.rewind({});
expectTypeOf<RegionLimitError>().toExtend<RangeError>();
