/* The edges: sizes near SIZE_MAX, zero, every alignment, more than there is; and errno. */
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ours.h"

static void fails(void* p) {
  CHECK_PTR(p, ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  errno = 0;
}

static void too_large(void) {
  static const size_t below[] = {0, 1, 7, 8, 15, 16, 4095, 4096, 65536, 1 << 22, 1 << 25, 1 << 26};
  void* p = malloc(100);
  memset(p, 0x55, 100);
  errno = 0;
  for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
    size_t tops[] = {SIZE_MAX - below[i], (size_t)PTRDIFF_MAX + 1 + below[i],
                     (size_t)PTRDIFF_MAX - below[i], ((size_t)1 << 47) - below[i]};
    for (int k = 0; k < 4; k++) {
      size_t size = opaque_size(tops[k]);
      fails(malloc(size));
      fails(calloc(1, size));
      fails(calloc(size / 2 + 1, 2));
      fails(realloc(p, size));
      fails(realloc(NULL, size));
      fails(reallocarray(opaque(p), size / 2 + 1, 2));
      fails(valloc(size));
      for (size_t align = 1; align <= (size_t)1 << 30; align <<= 5) {
        if (align < sizeof(void*)) continue;
        void* untouched = p;
        fails(aligned_alloc(align, size));
        fails(memalign(align, size));
        CHECK_EQ(posix_memalign(&untouched, align, size), ENOMEM);
        CHECK_PTR(untouched, ==, p);
        CHECK_EQ(errno, 0); /* it returns the error and leaves errno alone */
      }
    }
  }
  fails(calloc(opaque_size((size_t)1 << 32), (size_t)1 << 32));
  for (int i = 0; i < 100; i++) CHECK_EQ(((unsigned char*)p)[i], 0x55);
  free(p);
}

static void zero(void) {
  void* blocks[100];
  for (int i = 0; i < 100; i++) {
    blocks[i] = opaque(i % 3 == 0   ? malloc(opaque_size(0))
                       : i % 3 == 1 ? calloc(opaque_size(0), 8)
                                    : aligned_alloc(16, opaque_size(0)));
    CHECK(is_ours(blocks[i]));
    for (int k = 0; k < i; k++) CHECK(blocks[k] != blocks[i]);
  }
  for (int i = 0; i < 100; i++) free(blocks[i]);
  free(NULL);
}

static void check_aligned(void* p, size_t align, size_t size) {
  p = opaque(p);
  CHECK(p != NULL);
  CHECK_EQ((uintptr_t)p & (align - 1), 0);
  CHECK_CMP(malloc_usable_size(p), >=, size);
  ((volatile char*)p)[0] = 1;
  if (size > 0) ((volatile char*)p)[size - 1] = 1;
  free(p);
}

static void alignments(void) {
  static const size_t sizes[] = {0, 1, 24, 4097, 100000, 3000000, 40000000};
  for (size_t align = 1; align <= (size_t)1 << 30; align <<= 1) {
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
      void* p = NULL;
      check_aligned(aligned_alloc(align, sizes[i]), align, sizes[i]);
      check_aligned(memalign(align, sizes[i]), align, sizes[i]);
      if (align < sizeof(void*)) continue;
      CHECK_EQ(posix_memalign(&p, align, sizes[i]), 0);
      check_aligned(p, align, sizes[i]);
    }
  }
  void* p = NULL;
  CHECK_EQ(posix_memalign(&p, opaque_size(24), 100), EINVAL);
  CHECK_EQ(posix_memalign(&p, opaque_size(4), 100), EINVAL);
  CHECK_EQ(posix_memalign(&p, opaque_size(0), 100), EINVAL);
  CHECK_PTR(p, ==, NULL);
}

/* More memory than there is fails with every alignment, or, if the system is set to promise it, with none; an alignment
   takes addresses only. */
static void promises(void) {
  const size_t much = (size_t)40 << 40;
  void* plain = malloc(opaque_size(much));
  for (size_t align = 16; align <= (size_t)1 << 40; align <<= 2) {
    void* p = opaque(aligned_alloc(align, opaque_size(much)));
    CHECK_EQ(p != NULL, plain != NULL);
    free(p);
    check_aligned(aligned_alloc(align, 5000), align, 5000);
  }
  free(plain);
}

/* free leaves errno alone, also when it gives memory back to the system. */
static void errno_stays(void) {
  for (size_t size = 1; size <= (size_t)256 << 20; size *= 2) {
    void* blocks[4];
    for (int i = 0; i < 4; i++) {
      blocks[i] = i % 2 == 0 ? malloc(size) : aligned_alloc((size_t)1 << 24, size);
      CHECK(blocks[i] != NULL);
    }
    for (int i = 0; i < 4; i++) {
      errno = 4711;
      free(blocks[i]);
      CHECK_EQ(errno, 4711);
    }
    errno = 4711;
    blocks[0] = realloc(malloc(size), size * 2);
    CHECK_EQ(errno, 4711); /* what succeeds has no reason to change it */
    free(blocks[0]);
  }
}

int main(void) {
  too_large();
  zero();
  alignments();
  promises();
  errno_stays();
  return 0;
}
