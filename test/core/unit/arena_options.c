/* Options about arenas, as the environment sets them when a process begins. */
#include "arena.h"
#include "child.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"
#include "segment/arena.h"

static mi_arena_id_t only_arena(size_t size) {
  CHECK_EQ(mi_arena_count(), 1);
  area_t area = area_of(1);
  CHECK_EQ(area.size, size);
  return area.id;
}

static void in_child(const char* what) {
  if (strcmp(what, "reserve") == 0) {
    area_t area = area_of(only_arena(200 * MIB));
    void* p = mi_malloc(100 * MIB);
    CHECK(area_has(area, p, 100 * MIB));
    mi_free(p);
  } else if (strcmp(what, "only") == 0) {
    area_t area = area_of(only_arena(40 * MIB));
    size_t count = 0;
    void* p;
    while ((p = mi_malloc(100000)) != NULL) {
      CHECK(area_has(area, p, 100000));
      count++;
    }
    CHECK_EQ(errno, ENOMEM);
    CHECK_CMP(count, >, 300);
  } else if (strcmp(what, "chunks") == 0) {
    int64_t before = memory_gauges().reserved;
    void* p = mi_malloc(100);
    CHECK_CMP(memory_gauges().reserved - before, >=, (int64_t)(96 * MIB));
    CHECK_CMP(memory_gauges().reserved - before, <, (int64_t)(97 * MIB));
    before = memory_gauges().reserved;
    void* blocks[40];
    for (int i = 0; i < 40; i++) blocks[i] = mi_malloc(MIB);
    CHECK_EQ(memory_gauges().reserved, before);
    memory_check();
    for (int i = 0; i < 40; i++) mi_free(blocks[i]);
    mi_free(p);
    mi_collect(true);
    memory_check();
    CHECK_CMP(memory_gauges().reserved, <, before - (int64_t)(60 * MIB)); /* each by itself */
  } else if (strcmp(what, "large") == 0) {
    /* In large pages, or in ordinary ones where there are none. */
    void* p = mi_malloc(MIB);
    memset(p, 1, MIB);
    mi_free(p);
    mi_collect(true);
    memory_check();
  } else {
    CHECK_EQ(mi_arena_count(), 0);
    void* p = mi_malloc(100);
    CHECK(p != NULL);
  }
}

static child_t child;

static void run(const char* program, const char* what, const char* environment[]) {
  child_run(&child, program, what, environment);
  if (child.status != 0) fprintf(stderr, "%s: %s", what, child.err);
  CHECK_EQ(child.status, 0);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    in_child(argv[1]);
    return 0;
  }
  run(argv[0], "reserve", (const char*[]){"MIHEAP_RESERVE_OS_MEMORY=200M", NULL});
  CHECK_STR(child.err, "");
  run(argv[0], "reserve", (const char*[]){"MIMALLOC_RESERVE_OS_MEMORY=200M", NULL});
  run(argv[0], "only",
      (const char*[]){"MIHEAP_RESERVE_OS_MEMORY=40M", "MIHEAP_DISALLOW_OS_ALLOC=1", NULL});
  run(argv[0], "chunks", (const char*[]){"MIHEAP_ARENA_RESERVE=100M", NULL});
  run(argv[0], "chunks",
      (const char*[]){"MIHEAP_ARENA_RESERVE=100M", "MIHEAP_ARENA_EAGER_COMMIT=1", NULL});
  run(argv[0], "large", (const char*[]){"MIHEAP_ALLOW_LARGE_OS_PAGES=1", NULL});
  /* Nobody has so many; the process goes on without. */
  run(argv[0], "none", (const char*[]){"MIHEAP_RESERVE_HUGE_OS_PAGES=100000", NULL});
  CHECK_STR(child.err, "miheap: warning: reserve_huge_os_pages: there are not 100000 huge pages\n");
  run(argv[0], "none",
      (const char*[]){"MIHEAP_RESERVE_HUGE_OS_PAGES=100000", "MIHEAP_RESERVE_HUGE_OS_PAGES_AT=0",
                      "MIHEAP_USE_NUMA_NODES=3", NULL});
  CHECK(strstr(child.err, "there are not 100000 huge pages\n") != NULL);
  /* Pages of the system that are larger than what we take for the largest. */
  run(argv[0], "none", (const char*[]){"MIHEAP_TEST_PAGE_SIZE=131072", NULL});
  CHECK(strstr(child.err,
               "miheap: warning: pages of 131072 bytes are larger than 65536: free memory "
               "cannot go back to the system\n") != NULL);
  return 0;
}
