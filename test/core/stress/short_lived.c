/* 2,000 threads that each leave one live block: memory stays bounded, nothing is lost, and all of it comes
   back when another thread frees the blocks. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "pattern.h"
#include "random.h"
#include "types.h"

enum { THREADS = 2000, AT_ONCE = 8, MAX_SIZE = 512 };

static void* left[THREADS];
static size_t sizes[THREADS];

static void* live(void* arg) {
  size_t i = *(size_t*)arg;
  random_t rng = {i};
  void* passing[50];
  for (int k = 0; k < 50; k++) passing[k] = mi_malloc(random_below(&rng, 20000));
  sizes[i] = 1 + random_below(&rng, MAX_SIZE);
  left[i] = mi_malloc(sizes[i]);
  pattern_fill(left[i], sizes[i], i);
  for (int k = 0; k < 50; k++) mi_free(passing[k]);
  return NULL;
}

/* Segments are adopted by the next threads. A thread makes one of its own only if the others of the moment
   hold all there are: of each kind two for each of them, and, since that happens now and then with all that
   is abandoned in few hands, one for each second thread at most. Without adoption it would be one for each. */
static int64_t most_segments(int threads) { return 4 * AT_ONCE + threads / 2; }

int main(void) {
  static size_t indices[THREADS];
  int threads = THREADS / (TEST_SLOWNESS > 1 ? 5 : 1);
  mi_option_set(mi_option_purge_delay, 0);
  mi_thread_init();
  mi_collect(true);
  memory_t before = memory_gauges();
  size_t rss_before = 0;
  for (int i = 0; i < threads; i += AT_ONCE) {
    pthread_t ids[AT_ONCE];
    for (int k = 0; k < AT_ONCE; k++) {
      indices[i + k] = (size_t)(i + k);
      CHECK_EQ(pthread_create(&ids[k], NULL, live, &indices[i + k]), 0);
    }
    for (int k = 0; k < AT_ONCE; k++) pthread_join(ids[k], NULL);
    /* From here on the C library's memory for threads is there, and what the check only reads, which some kernels count. */
    if (i == 0) {
      memory_check();
      rss_before = memory_resident();
    }
    CHECK_CMP(memory_gauges().segments - before.segments, <=, most_segments(i + AT_ONCE));
  }
  memory_check();
  CHECK_CMP(memory_gauges().abandoned, >, 0);
  int64_t bytes = memory_gauges().committed - before.committed;
  /* A segment has a unit for its header and the few pages of the classes that the live blocks are in. */
  CHECK_CMP(bytes, <=, most_segments(threads) * 4 * (int64_t)MI_UNIT_SIZE);
  if (TEST_SLOWNESS == 1) CHECK_CMP(memory_resident(), <=, rss_before + (size_t)bytes + (1 << 20));
  for (int i = 0; i < threads; i++) {
    CHECK(pattern_holds(left[i], sizes[i], (uint64_t)i));
    mi_free(left[i]);
  }
  mi_collect(true);
  memory_check();
  memory_t after = memory_gauges();
  CHECK_EQ(after.abandoned, 0);
  CHECK_EQ(after.segments, before.segments);
  CHECK_EQ(after.committed, before.committed);
  CHECK_EQ(after.threads, before.threads);
  if (TEST_SLOWNESS == 1) CHECK_CMP(memory_resident(), <=, rss_before + (1 << 20));
  printf("%d threads left %" PRId64 " KiB committed in the end\n", threads, bytes >> 10);
  return 0;
}
