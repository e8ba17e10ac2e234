/* Where the system promises no more memory than it has, or with arena_eager_commit=0, as here: what is reserved counts
   for the process as it is used, not before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "os/os.h"
#include "pattern.h"

#define MIB ((size_t)1 << 20)

/* Bytes that the process may write to, as the system counts them: VmData. */
static size_t counted(void) {
  FILE* file = fopen("/proc/self/status", "r");
  CHECK(file != NULL);
  char line[200];
  size_t kib = 0;
  while (kib == 0 && fgets(line, sizeof(line), file) != NULL) sscanf(line, "VmData: %zu", &kib);
  fclose(file);
  CHECK_CMP(kib, >, 0);
  return kib * 1024;
}

static void* full(void* p, size_t size) {
  CHECK(p != NULL);
  pattern_fill(p, size, size);
  return p;
}

static void release(void* p, size_t size) {
  CHECK(pattern_holds(p, size, size));
  mi_free(p);
}

static void knows_the_system(void) {
  FILE* file = fopen("/proc/sys/vm/overcommit_memory", "r");
  CHECK(file != NULL);
  int mode = fgetc(file);
  fclose(file);
  CHECK_EQ(mi_os_overcommits(), mode != '2');
}

extern char __bss_start, _end; /* the program's own variables */

static void small_process(void) {
  release(full(mi_malloc(100), 100), 100);
  CHECK_CMP(counted(), <, (size_t)(&_end - &__bss_start) + 16 * MIB);
}

/* Two of each kind: in pages, in slots of one chunk and of several, in mappings. */
static void all_kinds(void) {
  static const size_t sizes[] = {16, 2000, 50000, 1 * MIB, 5 * MIB, 20 * MIB, 40 * MIB};
  enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
  void* blocks[2 * COUNT];
  size_t before = counted();
  size_t sum = 0;
  for (int i = 0; i < 2 * COUNT; i++) {
    blocks[i] = full(mi_malloc(sizes[i / 2]), sizes[i / 2]);
    sum += sizes[i / 2];
  }
  CHECK_CMP(counted(), <, before + sum + 40 * MIB);
  for (int i = 0; i < 2 * COUNT; i++) release(blocks[i], sizes[i / 2]);
  mi_collect(true); /* what was purged is used again */
  for (int i = 0; i < COUNT; i++) {
    blocks[i] = mi_zalloc(sizes[i]);
    CHECK(is_all_zero(blocks[i], sizes[i]));
  }
  for (int i = 0; i < COUNT; i++) mi_free(blocks[i]);
}

static void grows(void) {
  uint8_t* p = full(mi_malloc(MIB), MIB);
  for (size_t size = 2 * MIB; size <= 64 * MIB; size *= 2) {
    p = mi_realloc(p, size);
    CHECK(pattern_holds_prefix(p, MIB, MIB, MIB));
    memset(p + size / 2, 1, size / 2);
  }
  mi_free(p);
}

static void arena(void) {
  mi_arena_id_t id;
  size_t before = counted();
  CHECK_EQ(mi_reserve_os_memory_ex(256 * MIB, false, false, true, &id), 0);
  CHECK_CMP(counted(), <, before + 2 * MIB);
  mi_heap_t* heap = mi_heap_new_in_arena(id);
  void* p = full(mi_heap_malloc(heap, 10 * MIB), 10 * MIB);
  CHECK_CMP(counted(), <, before + 24 * MIB);
  release(p, 10 * MIB);
  mi_heap_destroy(heap);
}

int main(void) {
  knows_the_system();
  small_process();
  all_kinds();
  grows();
  arena();
  return 0;
}
