/* The address space itself runs out (RLIMIT_AS), so that not even a chunk fits, and is there again. */
#include <sys/resource.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "pattern.h"
#include "random.h"
#include "segment/segment.h"

#define MIB ((size_t)1 << 20)
enum { BLOCKS = 4000 };

static size_t address_space(void) {
  unsigned long pages = 0;
  FILE* f = fopen("/proc/self/statm", "r");
  CHECK(f != NULL && fscanf(f, "%lu", &pages) == 1);
  fclose(f);
  return pages * 4096;
}

static void limit(size_t bytes) {
  struct rlimit r;
  CHECK_EQ(getrlimit(RLIMIT_AS, &r), 0);
  r.rlim_cur = bytes == 0 ? r.rlim_max : bytes;
  CHECK_EQ(setrlimit(RLIMIT_AS, &r), 0);
}

/* What small blocks filled can be had for huge ones again, without a collect in between. */
static void small_then_huge(void) {
  static void* blocks[1 << 20];
  limit(address_space() + 200 * MIB);
  size_t n = 0;
  while (n < sizeof(blocks) / sizeof(blocks[0]) && (blocks[n] = mi_malloc(1000)) != NULL) n++;
  CHECK_CMP(n, >=, 100000);
  CHECK_CMP(n, <, sizeof(blocks) / sizeof(blocks[0]));
  for (size_t i = 0; i < n; i++) mi_free(blocks[i]);
  for (size_t size = MIB; size <= 64 * MIB; size *= 2) {
    void* p = mi_malloc(size);
    CHECK(p != NULL);
    mi_free(p);
  }
  void* small = mi_malloc(1000);
  CHECK(small != NULL);
  mi_free(small);
  mi_collect(true);
  CHECK_EQ(memory_gauges().segments, 0);
  limit(0);
}

/* What is known of limits, which says how large a table may be. */
static void limits_are_known(void) {
  struct rlimit unlimited;
  CHECK_EQ(getrlimit(RLIMIT_DATA, &unlimited), 0);
  size_t before = mi_os_address_limit();
  struct rlimit r = {1000 * MIB, unlimited.rlim_max};
  CHECK_EQ(setrlimit(RLIMIT_DATA, &r), 0);
  CHECK_EQ(mi_os_address_limit(), 1000 * MIB);
  limit(900 * MIB);
  CHECK_EQ(mi_os_address_limit(), 900 * MIB);
  limit(0);
  CHECK_EQ(setrlimit(RLIMIT_DATA, &unlimited), 0);
  CHECK_EQ(mi_os_address_limit(), before);
}

int main(void) {
  limits_are_known();
  small_then_huge();
  static void* blocks[BLOCKS];
  static size_t sizes[BLOCKS];
  random_t rng = {test_seed()};
  limit(address_space() + 30 * MIB); /* less than a chunk */
  size_t n = 0;
  for (; n < BLOCKS; n++) {
    static const size_t kinds[] = {100, 5000, 30000, 500000, 3000000};
    sizes[n] = 1 + random_below(&rng, kinds[n % 5]);
    errno = 0;
    blocks[n] = n % 7 == 0 ? mi_malloc_aligned(sizes[n], (size_t)4 * MIB) : mi_malloc(sizes[n]);
    if (blocks[n] == NULL) {
      CHECK_EQ(errno, ENOMEM);
      break;
    }
    CHECK_CMP(mi_usable_size(blocks[n]), >=, sizes[n]);
    pattern_fill(blocks[n], sizes[n], n);
  }
  CHECK_CMP(n, >=, 3);
  CHECK_CMP(n, <, BLOCKS);
  for (size_t i = 0; i < n; i++) CHECK(pattern_holds(blocks[i], sizes[i], i));
  for (size_t i = 0; i < n; i++) mi_free(blocks[i]);
  mi_collect(true);
  CHECK_EQ(memory_gauges().segments, 0);
  CHECK_EQ(memory_gauges().committed, 0);
  limit(0);
  void* p = mi_malloc(200 * MIB);
  CHECK(p != NULL);
  mi_free(p);
  return 0;
}
