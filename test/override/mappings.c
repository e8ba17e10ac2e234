/* The number of mappings of a process is limited (vm.max_map_count, 65,530 by default). A million blocks of mixed
   sizes, also after half of them were freed at random, purged and allocated again, need few. Where there are none
   left, a huge block can only be had if the system finds it a place beside another; what is freed comes back. */
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ours.h"
#include "random.h"

enum { BLOCKS = 1000000 };
#define MIB ((size_t)1 << 20)

static void* blocks[BLOCKS];
static size_t huge_blocks;

/* Without allocating. */
static size_t count_lines(const char* path) {
  FILE* f = fopen(path, "r");
  CHECK(f != NULL);
  size_t lines = 0;
  for (int c; (c = getc(f)) != EOF;) lines += c == '\n';
  fclose(f);
  return lines;
}
static size_t mappings(void) { return count_lines("/proc/self/maps"); }

static size_t statm(int field) {
  unsigned long pages[2];
  FILE* f = fopen("/proc/self/statm", "r");
  CHECK(f != NULL && fscanf(f, "%lu %lu", &pages[0], &pages[1]) == 2);
  fclose(f);
  return pages[field] * (size_t)sysconf(_SC_PAGESIZE);
}

/* As random_size, but for fewer large ones: there are many blocks. */
static size_t mixed_size(random_t* rng) {
  size_t kind = random_below(rng, 100000);
  if (kind < 20) return (size_t)2500000 + random_below(rng, 3000000);
  if (kind < 100) return random_below(rng, 500000);
  if (kind < 1000) return random_below(rng, 30000);
  return 1 + random_below(rng, kind < 10000 ? 2000 : 300);
}

static void allocate(random_t* rng, size_t i) {
  size_t size = mixed_size(rng);
  blocks[i] = malloc(size);
  CHECK(blocks[i] != NULL);
  *(volatile char*)blocks[i] = 1;
  huge_blocks += size > 2 * MIB;
}

/* ARCHITECTURE.md, "Mappings": one for each huge block, and one for every chunk of 32 MiB, most of which lie side
   by side and are one. Of freed huge blocks, 16 are kept. The rest is the directory and the tables. */
static void check_bound(const char* when, size_t at_start) {
  size_t now = mappings();
  size_t bound = at_start + huge_blocks + statm(0) / (32 * MIB) + 16 + 64;
  printf("%s: %zu mappings, %zu huge blocks, %zu MiB of addresses\n", when, now, huge_blocks,
         statm(0) / MIB);
  CHECK_CMP(now, <=, bound);
}

static void a_million_blocks(void) {
  random_t rng = {test_seed()};
  size_t at_start = mappings();
  for (size_t i = 0; i < BLOCKS; i++) allocate(&rng, i);
  check_bound("a million blocks", at_start);
  for (int age = 0; age < 2; age++) {
    for (size_t i = 0; i < BLOCKS; i++) {
      if (!random_one_in(&rng, 2)) continue;
      huge_blocks -= malloc_usable_size(blocks[i]) > 2 * MIB;
      free(blocks[i]);
      blocks[i] = NULL;
    }
    malloc_trim(0);
    check_bound("half of them, purged", at_start);
    for (size_t i = 0; i < BLOCKS; i++) {
      if (blocks[i] == NULL) allocate(&rng, i);
    }
    check_bound("a million again", at_start);
  }
  for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
  huge_blocks = 0;
  malloc_trim(0);
  check_bound("all freed", at_start);
}

static size_t map_count_limit(void) {
  size_t limit = 0;
  FILE* f = fopen("/proc/sys/vm/max_map_count", "r");
  if (f == NULL) return 0;
  if (fscanf(f, "%zu", &limit) != 1) limit = 0;
  fclose(f);
  return limit;
}

/* Uses up all mappings but about `left`: pages of one mapping with changing protection are one each. */
static void* use_up(size_t left, size_t* size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t pages = map_count_limit() - mappings() - left;
  *size = pages * page;
  char* p = mmap(NULL, *size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(p != MAP_FAILED);
  for (size_t i = 1; i < pages; i += 2) CHECK_EQ(mprotect(p + i * page, page, PROT_READ), 0);
  return p;
}

static void no_mappings_left(void) {
  enum { LEFT = 500, MOST = 5000 };
  if (map_count_limit() == 0 || map_count_limit() > 200000) {
    printf("vm.max_map_count is out of reach here: not tested at the limit\n");
    return;
  }
  size_t size;
  void* obstacle = use_up(LEFT, &size);
  size_t resident = statm(1);
  static void* many[MOST];
  size_t n = 0;
  errno = 0;
  while (n < MOST && (many[n] = malloc(2500000)) != NULL) {
    memset(many[n], 1, 100);
    n++;
  }
  printf("%zu huge blocks fit into %d mappings, %zu in use\n", n, LEFT, mappings());
  CHECK_CMP(n, >=, LEFT / 4);
  if (n < MOST) CHECK_EQ(errno, ENOMEM);
  for (size_t i = 0; i < n; i += 2) { /* every other one */
    free(many[i]);
    many[i] = NULL;
  }
  size_t again = 0;
  for (size_t i = 0; i < n; i += 2) again += (many[i] = malloc(2500000)) != NULL;
  /* The system may have refused to unmap from the middle of a mapping: those addresses are lost. */
  CHECK_CMP(again, >, 0);
  for (size_t i = 0; i < n; i++) free(many[i]);
  malloc_trim(0);
  CHECK_CMP(statm(1), <=, resident + 4 * MIB);
  munmap(obstacle, size);
  for (size_t i = 0; i < MOST / 10; i++) CHECK((many[i] = malloc(2500000)) != NULL);
  for (size_t i = 0; i < MOST / 10; i++) free(many[i]);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  a_million_blocks();
  no_mappings_left();
  return 0;
}
