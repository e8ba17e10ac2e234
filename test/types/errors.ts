import { expectTypeOf } from 'expect-type';
import {
  type AlreadyFreedError,
  HeapLimitError,
  type InvalidTypeError,
  type InvalidValueError,
  type LimitMessage,
  MiheapError,
  type OutOfRangeError,
  type PeerDependencyError,
  type PoolExhaustedError,
  RegionLimitError,
  type StaleMarkError,
  type TokenError,
  type WriteAfterReleaseError,
} from 'miheap';

expectTypeOf<InvalidTypeError>().toExtend<TypeError>();
expectTypeOf<InvalidValueError>().toExtend<TypeError>();
expectTypeOf<OutOfRangeError>().toExtend<RangeError>();
expectTypeOf<HeapLimitError>().toExtend<RangeError>();
expectTypeOf<AlreadyFreedError>().toExtend<MiheapError>();
expectTypeOf<PeerDependencyError>().toExtend<MiheapError>();
expectTypeOf<PoolExhaustedError>().toExtend<MiheapError>();
expectTypeOf<StaleMarkError>().toExtend<MiheapError>();
expectTypeOf<TokenError>().toExtend<MiheapError>();
expectTypeOf<WriteAfterReleaseError['offset']>().toEqualTypeOf<number>();
expectTypeOf<RegionLimitError>().toExtend<RangeError>();
expectTypeOf<MiheapError>().toExtend<Error>();
expectTypeOf<MiheapError['code']>().toEqualTypeOf<string>();
expectTypeOf<HeapLimitError['code']>().toEqualTypeOf<'ERR_MIHEAP_LIMIT'>();
expectTypeOf<TokenError['code']>().toEqualTypeOf<'ERR_MIHEAP_TOKEN'>();
expectTypeOf<HeapLimitError['waitingBytes']>().toEqualTypeOf<number>();
expectTypeOf(HeapLimitError).constructorParameters.toEqualTypeOf<[LimitMessage]>();
expectTypeOf(RegionLimitError).constructorParameters.toEqualTypeOf<
  [name: string, limit: number, requested: number, bytes: number]
>();

// A caught error is narrowed to what it says.
const caught: unknown = undefined;
if (caught instanceof MiheapError) expectTypeOf(caught.code).toEqualTypeOf<string>();
if (caught instanceof HeapLimitError) expectTypeOf(caught.liveBytes).toEqualTypeOf<number>();
