/* Memory for a part of which the program called madvise, as numpy does: to the system several
   mappings. They grow where they are, but are not moved: since Linux 6.17 the system moves one
   after the other, and may stop in between. */
#include <sys/mman.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "pattern.h"
#include "segment/huge.h"
#include "segment/purge.h"

#define MIB ((size_t)1 << 20)

static void advise_a_part(uint8_t* start) {
  uint8_t* page = (uint8_t*)mi_align_up((uintptr_t)start, 65536);
  CHECK_EQ(madvise(page, MIB, MADV_DONTFORK), 0);
}

static uint8_t* map(size_t size) {
  uint8_t* p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

static void grows_in_place(void) {
  uint8_t* p = map(40 * MIB);
  CHECK_EQ(munmap(p + 20 * MIB, 20 * MIB), 0);
  pattern_fill(p, 20 * MIB, 1);
  advise_a_part(p + MIB);
  CHECK_EQ(mprotect(p + 20 * MIB - 65536, 65536, PROT_READ), 0);
  CHECK(mi_os_resize(p, 20 * MIB, 30 * MIB));
  p[30 * MIB - 1] = 0;
  CHECK(pattern_holds(p, 20 * MIB, 1));
  for (size_t i = 20 * MIB; i < 30 * MIB; i += 4096) CHECK_EQ(p[i], 0);
  CHECK(mi_os_resize(p, 30 * MIB, 10 * MIB));
  CHECK(pattern_holds_prefix(p, 10 * MIB, 20 * MIB, 1));
  CHECK_EQ(munmap(p, 10 * MIB), 0);
}

static void is_not_moved(void) {
  uint8_t* p = map(20 * MIB);
  uint8_t* target = map(30 * MIB);
  pattern_fill(p, 20 * MIB, 1);
  advise_a_part(p + MIB);
  CHECK(!mi_os_move(p, 20 * MIB, target, 30 * MIB));
  CHECK(!mi_os_move(p, 20 * MIB, target, 20 * MIB));
  CHECK(!mi_os_move_contents(p, 20 * MIB, target));
  CHECK(pattern_holds(p, 20 * MIB, 1));
  for (size_t i = 0; i < 30 * MIB; i += 4096) CHECK_EQ(target[i], 0);
  CHECK_EQ(munmap(p, 20 * MIB), 0);
  CHECK_EQ(munmap(target, 30 * MIB), 0);
}

static void blocks_keep_their_contents(size_t size) {
  uint8_t* p = mi_malloc(size);
  CHECK(p != NULL);
  pattern_fill(p, size, 2);
  advise_a_part(p);
  void* beside = mi_malloc(size);
  p = mi_realloc(p, 3 * size);
  CHECK(p != NULL);
  CHECK(pattern_holds_prefix(p, size, size, 2));
  mi_free(beside);
  mi_free(p);
  /* A kept mapping whose parts differ. */
  p = mi_calloc(1, 4 * size);
  CHECK(p != NULL);
  for (size_t i = 0; i < 4 * size; i += 4096) CHECK_EQ(p[i], 0);
  mi_free(p);
  mi_purge_all();
}

int main(void) {
  grows_in_place();
  is_not_moved();
  blocks_keep_their_contents(9 * MIB);
  blocks_keep_their_contents(30 * MIB);
  blocks_keep_their_contents(50 * MIB);
  heaps_check();
  return 0;
}
