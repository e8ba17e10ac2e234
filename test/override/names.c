/* Every name of C that is replaced, those that few programs call too, and what each promises. */
#include <malloc.h>
#include <unistd.h>

#include "ours.h"

/* Weak: the C library lacks these, and a preloaded library is not there when the program is linked. */
__attribute__((weak)) void cfree(void* p);
__attribute__((weak)) void free_sized(void* p, size_t size);
__attribute__((weak)) void free_aligned_sized(void* p, size_t alignment, size_t size);
__attribute__((weak)) int reallocarr(void* p, size_t count, size_t size);
__attribute__((weak)) size_t malloc_size(const void* p);
__attribute__((weak)) size_t malloc_good_size(size_t size);
__attribute__((weak)) int __posix_memalign(void** p, size_t alignment, size_t size);

static void take(void* p, size_t size, size_t align) {
  CHECK(is_ours(p));
  CHECK_EQ((uintptr_t)p % align, 0);
  CHECK_CMP(malloc_usable_size(p), >=, size);
  memset(p, 0xEE, size);
  cfree(p);
}

static void of_other_systems(void) {
  uint64_t* p = NULL;
  CHECK_EQ(reallocarr(&p, 10, 8), 0);
  CHECK(is_ours(p));
  p[9] = 9;
  CHECK_EQ(reallocarr(&p, 100000, 8), 0);
  CHECK_EQ(p[9], 9);
  CHECK_EQ(malloc_size(p), malloc_usable_size(p));
  CHECK_EQ(malloc_good_size(800000), malloc_usable_size(p));
  CHECK_EQ(reallocarr(&p, opaque_size(SIZE_MAX), 8), ENOMEM);
  CHECK_EQ(p[9], 9);
  CHECK_EQ(reallocarr(&p, 0, 8), 0);
  CHECK(p == NULL);
  cfree(NULL);
}

/* What they free is handed out again: all blocks are at a few places. */
static void of_c23(void) {
  enum { MIB = 1 << 20, ROUNDS = 1000, SPAN = 100 };
  uintptr_t least = UINTPTR_MAX;
  uintptr_t most = 0;
  free_sized(NULL, 0);
  free_aligned_sized(NULL, 64, 0);
  for (int i = 0; i < ROUNDS; i++) {
    void* plain = malloc(MIB);
    void* aligned = aligned_alloc(4096, MIB);
    CHECK(is_ours(plain) && is_ours(aligned));
    const uintptr_t places[] = {(uintptr_t)plain, (uintptr_t)aligned};
    for (int k = 0; k < 2; k++) {
      if (places[k] < least) least = places[k];
      if (places[k] > most) most = places[k];
    }
    free_sized(plain, MIB);
    free_aligned_sized(aligned, 4096, MIB);
  }
  CHECK_CMP(most - least, <, (uintptr_t)SPAN * MIB);
}

/* Size 0: an allocation gives a block, realloc frees the one it got. */
static void nothing(void) {
  void* a = malloc(opaque_size(0));
  void* b = calloc(opaque_size(0), 8);
  void* c = realloc(NULL, opaque_size(0));
  CHECK(a != b && b != c && a != c);
  take(b, 0, 1);
  take(c, 0, 1);
  CHECK(realloc(opaque(a), opaque_size(0)) == NULL);
  CHECK(reallocarray(opaque(malloc(10)), opaque_size(0), 8) == NULL);
  take(aligned_alloc(64, opaque_size(0)), 0, 64);
  CHECK_EQ(malloc_usable_size(NULL), 0);
}

static void aligned(void) {
  void* p;
  for (size_t align = 8; align <= (size_t)1 << 30; align *= 2) {
    take(memalign(align, 100), 100, align);
    take(aligned_alloc(align, opaque_size(100)), 100, align);
    CHECK_EQ(posix_memalign(&p, align, 1000), 0);
    take(p, 1000, align);
  }
  /* As glibc: it rounds up to a power of two. */
  take(memalign(opaque_size(48), 100), 100, 64);
  take(memalign(opaque_size(0), 100), 100, 8);
  take(aligned_alloc(opaque_size(64), opaque_size(100)), 100, 64);
  take(valloc(10), 10, 4096);
  take(pvalloc(4097), 8192, 4096);
}

static void failing(void) {
  char mark;
  void* p = &mark;
  size_t most = opaque_size(PTRDIFF_MAX);
  void* old = malloc(100);
  memset(old, 0xEE, 100);
#define FAILS(call)              \
  {                              \
    errno = 0;                   \
    CHECK_PTR((call), ==, NULL); \
    CHECK_EQ(errno, ENOMEM);     \
  }
  FAILS(malloc(most))
  FAILS(malloc(most + 1))
  FAILS(malloc(2 * most + 1))
  FAILS(calloc(most, 3))
  FAILS(calloc(1, most + 1))
  FAILS(realloc(old, most + 1))
  FAILS(reallocarray(old, most, 3))
  FAILS(aligned_alloc(64, most + 1))
  FAILS(memalign(4096, most + 1))
  FAILS(valloc(most + 1))
  FAILS(pvalloc(2 * most + 1))
  for (int i = 0; i < 100; i++) CHECK_EQ(((unsigned char*)old)[i], 0xEE);
  errno = 7;
  CHECK_EQ(posix_memalign(&p, opaque_size(0), 100), EINVAL);
  CHECK_EQ(posix_memalign(&p, opaque_size(4), 100), EINVAL);
  CHECK_EQ(posix_memalign(&p, opaque_size(24), 100), EINVAL);
  CHECK_EQ(posix_memalign(&p, 64, most + 1), ENOMEM);
  CHECK_PTR(p, ==, &mark);
  free(old);
  free(NULL);
  CHECK_EQ(errno, 7);
}

#if defined(__GLIBC__)
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* p, size_t size);
void* __libc_reallocarray(void* p, size_t count, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void* __libc_valloc(size_t size);
void* __libc_pvalloc(size_t size);
int __libc_mallopt(int parameter, int value);
void __libc_free(void* p);

static void of_glibc(void) {
  void* p;
  take(__libc_malloc(100), 100, 16);
  take(__libc_calloc(10, 10), 100, 16);
  take(__libc_realloc(__libc_malloc(10), 1000), 1000, 16);
  take(__libc_memalign(1024, 100), 100, 1024);
  take(__libc_valloc(100), 100, 4096);
  take(__libc_pvalloc(100), 4096, 4096);
  CHECK_EQ(__posix_memalign(&p, 256, 100), 0);
  take(p, 100, 256);
  __libc_free(malloc(100));
  __libc_free(NULL);
  CHECK_EQ(__libc_mallopt(M_MMAP_THRESHOLD, 1000), 1);
}

/* What asks or tunes the allocator answers for ours. */
static void tuning(void) {
  CHECK_EQ(mallopt(M_TRIM_THRESHOLD, 1000), 1);
  CHECK_EQ(mallopt(4711, -1), 1);
  size_t size = (size_t)64 << 20;
  malloc_trim(0);
  struct mallinfo2 before = mallinfo2();
  void* p = opaque(malloc(size));
  CHECK_CMP(mallinfo2().hblkhd, >=, before.hblkhd + size);
  CHECK_CMP(mallinfo2().arena, <, before.arena + size / 2);
  CHECK_EQ(mallinfo2().uordblks, 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  struct mallinfo (*old_info)(void) = mallinfo; /* its fields are int */
#pragma GCC diagnostic pop
  CHECK_EQ(old_info().hblkhd, (int)mallinfo2().hblkhd);
  CHECK_EQ(old_info().arena, (int)mallinfo2().arena);
  free(p);
  CHECK_EQ(mallinfo2().hblkhd, before.hblkhd);
  CHECK_EQ(malloc_trim(0), 1);

  enum { COUNT = 1000, EACH = 40000 };
  void* blocks[COUNT];
  for (int i = 0; i < COUNT; i++) blocks[i] = opaque(malloc(EACH));
  CHECK_CMP(mallinfo2().arena, >=, COUNT * EACH);
  CHECK_EQ(mallinfo2().hblkhd, before.hblkhd);
  for (int i = 0; i < COUNT; i++) free(blocks[i]);

  char text[4096] = "";
  FILE* f = fmemopen(text, sizeof(text), "w");
  CHECK_EQ(malloc_info(0, f), 0);
  fclose(f);
  CHECK(strstr(text, "miheap") != NULL);
  CHECK_EQ(malloc_info(1, stdout), EINVAL);

  f = tmpfile();
  int saved = dup(2);
  dup2(fileno(f), 2);
  malloc_stats();
  dup2(saved, 2);
  rewind(f);
  text[fread(text, 1, sizeof(text) - 1, f)] = 0;
  CHECK(strstr(text, "committed") != NULL);
  fclose(f);
}
#else
static void of_glibc(void) {}
static void tuning(void) {}
#endif

int main(void) {
  of_other_systems();
  of_c23();
  nothing();
  aligned();
  failing();
  of_glibc();
  tuning();
  return 0;
}
