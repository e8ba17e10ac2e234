import { expectTypeOf } from 'expect-type';
import {
  type AllocFromOptions,
  type AllocOptions,
  type BufferLike,
  Heap,
  type HeapOptions,
  type HeapStats,
  type LimitMessage,
  type OffHeapBuffer,
  Pool,
  Region,
  releaseToken,
  type SizeClassStats,
  Token,
  type TokenClone,
} from 'miheap';

expectTypeOf(Heap).toBeConstructibleWith();
expectTypeOf(Heap).toBeConstructibleWith({ name: 'a', limit: 1000, align: 64 });
expectTypeOf<HeapOptions>().toEqualTypeOf<{
  name?: string | undefined;
  limit?: number | undefined;
  align?: number | undefined;
}>();
expectTypeOf<AllocOptions>().toEqualTypeOf<{ align?: number | undefined }>();
expectTypeOf<AllocFromOptions['encoding']>().toEqualTypeOf<BufferEncoding | undefined>();

const heap = new Heap();
expectTypeOf(heap.name).toEqualTypeOf<string>();
expectTypeOf(heap.limit).toEqualTypeOf<number>();
expectTypeOf(heap.align).toEqualTypeOf<number | undefined>();
expectTypeOf(heap.external).toEqualTypeOf<boolean>();
expectTypeOf(heap.destroyed).toEqualTypeOf<boolean>();

const buffer = heap.alloc(10, { align: 64 });
expectTypeOf(buffer).toEqualTypeOf<OffHeapBuffer>();
// As that of Buffer.alloc, which Blob, fetch and crypto.subtle take.
expectTypeOf(buffer.buffer).toEqualTypeOf<ArrayBuffer>();
expectTypeOf(new Pool({ blockSize: 8 }).acquire().buffer).toEqualTypeOf<ArrayBuffer>();
expectTypeOf(new Region().alloc(8).buffer).toEqualTypeOf<ArrayBuffer>();
expectTypeOf(heap.allocUnsafe(10)).toEqualTypeOf<OffHeapBuffer>();
expectTypeOf(heap.allocFrom('text', { encoding: 'hex' })).toEqualTypeOf<OffHeapBuffer>();
expectTypeOf(heap.allocFrom).toBeCallableWith(new SharedArrayBuffer(8));
expectTypeOf(heap.allocFrom).toBeCallableWith(new Float32Array(8));
expectTypeOf(heap.allocArrayBuffer(10)).toEqualTypeOf<ArrayBuffer>();
const doubles: Float64Array = heap.allocTyped(Float64Array, 10);
const words: BigUint64Array = heap.allocTyped(BigUint64Array, 10);
// @ts-expect-error: it is an array of doubles
const wrong: Int32Array = heap.allocTyped(Float64Array, 10);
// @ts-expect-error: of what type?
heap.allocTyped(10);
// @ts-expect-error: a DataView has no elements
heap.allocTyped(DataView, 10);

// What is given says what comes back.
expectTypeOf(heap.realloc(buffer, 20)).toEqualTypeOf<OffHeapBuffer>();
expectTypeOf(heap.realloc(doubles, 20)).toEqualTypeOf<OffHeapBuffer>();
expectTypeOf(heap.realloc(new DataView(new ArrayBuffer(8)), 20)).toEqualTypeOf<OffHeapBuffer>();
expectTypeOf(heap.realloc(heap.allocArrayBuffer(8), 20)).toEqualTypeOf<ArrayBuffer>();
expectTypeOf(heap.realloc(buffer as BufferLike, 20)).toEqualTypeOf<OffHeapBuffer | ArrayBuffer>();

// The ArrayBuffer of a Buffer stands for it.
expectTypeOf(heap.free(buffer.buffer)).toEqualTypeOf<void>();
expectTypeOf(heap.usableSize(doubles.buffer)).toEqualTypeOf<number>();
expectTypeOf(heap.transfer(buffer.buffer)).toEqualTypeOf<Token>();
expectTypeOf(heap.share(buffer.buffer)).toEqualTypeOf<Token>();
expectTypeOf(heap.realloc(buffer.buffer, 20)).toEqualTypeOf<ArrayBuffer>();

expectTypeOf(heap.free(words)).toEqualTypeOf<void>();
expectTypeOf(heap.usableSize(buffer)).toEqualTypeOf<number>();
expectTypeOf(heap.owns).parameter(0).toEqualTypeOf<unknown>();
expectTypeOf(heap.owns(5)).toEqualTypeOf<boolean>();
expectTypeOf(heap.stats()).toEqualTypeOf<HeapStats>();
expectTypeOf(heap.stats().sizeClasses).toEqualTypeOf<SizeClassStats[]>();
expectTypeOf(heap.collect()).toEqualTypeOf<void>();
expectTypeOf(heap.destroy()).toEqualTypeOf<void>();

expectTypeOf(heap.transfer(buffer)).toEqualTypeOf<Token>();
expectTypeOf(heap.share(buffer)).toEqualTypeOf<Token>();
expectTypeOf<Token>().toExtend<TokenClone>();
expectTypeOf(heap.adopt).parameter(0).toEqualTypeOf<TokenClone>();
expectTypeOf(heap.adopt(structuredClone(heap.share(buffer)))).toEqualTypeOf<OffHeapBuffer>();
expectTypeOf(releaseToken(heap.share(buffer))).toEqualTypeOf<boolean>();
expectTypeOf<LimitMessage['liveBytes']>().toEqualTypeOf<number>();

// @ts-expect-error: only a heap makes a token
new Token();
// @ts-expect-error: nor does a class derived from it
class Forged extends Token {}
// @ts-expect-error: nobody sees how a heap does
Token.of;

// @ts-expect-error: a size is a number
heap.alloc('10');
// @ts-expect-error: not of a number
heap.free(5);
// @ts-expect-error: an option is misspelt
new Heap({ limits: 5 });
// @ts-expect-error: a string is no token
heap.adopt('0123456789abcdef');
// @ts-expect-error: no such encoding
heap.allocFrom('text', { encoding: 'utf7' });
// @ts-expect-error: the limit stays as it is
heap.limit = 5;

export { Forged, wrong };
