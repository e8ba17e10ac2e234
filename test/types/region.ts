import { expectTypeOf } from 'expect-type';
import {
  Heap,
  type OffHeapBuffer,
  Region,
  type RegionMark,
  type RegionOptions,
  type RegionStats,
} from 'miheap';

expectTypeOf(Region).toBeConstructibleWith();
expectTypeOf<RegionOptions>().toEqualTypeOf<{
  chunkSize?: number | undefined;
  limit?: number | undefined;
  heap?: Heap | undefined;
  name?: string | undefined;
}>();

const region = new Region({ chunkSize: 4096, heap: new Heap() });
expectTypeOf(region.name).toEqualTypeOf<string>();
expectTypeOf(region.chunkSize).toEqualTypeOf<number>();
expectTypeOf(region.limit).toEqualTypeOf<number>();
expectTypeOf(region.destroyed).toEqualTypeOf<boolean>();
expectTypeOf(region.alloc(10)).toEqualTypeOf<OffHeapBuffer>();
expectTypeOf(region.alloc(10, 64)).toEqualTypeOf<OffHeapBuffer>();
const doubles: Float64Array = region.allocTyped(Float64Array, 10);
// @ts-expect-error: it is an array of doubles
const wrong: Int32Array = region.allocTyped(Float64Array, 10);
expectTypeOf(region.mark()).toEqualTypeOf<RegionMark>();
expectTypeOf(region.rewind(region.mark())).toEqualTypeOf<void>();
expectTypeOf(region.reset()).toEqualTypeOf<void>();
expectTypeOf(region.stats()).toEqualTypeOf<RegionStats>();
expectTypeOf(region.destroy()).toEqualTypeOf<void>();
// @ts-expect-error: a DataView has no elements
region.allocTyped(DataView, 10);
// @ts-expect-error: a mark is not a number
region.rewind(0);
// @ts-expect-error: an object that looks like a mark
region.rewind({});

export { doubles, wrong };
