/* Memory of the program that shares 4 MiB with a huge block is not miheap's, also at the moment when another thread
   frees that block. */
#include <pthread.h>
#include <sys/mman.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "types.h"

/* A checked build writes all over each block. */
enum { ROUNDS = (TEST_VARIANT_CHECKED ? 48 : 150) / TEST_SLOWNESS };

static _Atomic(char*) beside;
static _Atomic(bool) over;

static void* ask(void* arg) {
  while (!atomic_load(&over)) {
    char* p = atomic_load(&beside);
    if (p == NULL) continue;
    mi_cfree(p);
    CHECK(!mi_heap_contains_block(mi_heap_get_default(), p));
    CHECK(!mi_is_in_heap_region(p));
  }
  return arg;
}

int main(void) {
  mi_option_set(mi_option_purge_delay, 0); /* what is freed is unmapped */
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, ask, NULL), 0);
  int tried = 0;
  for (int i = 0; i < ROUNDS; i++) {
    char* p = mi_malloc(((size_t)32 << 20) + ((size_t)5 << 19)); /* too large for a chunk */
    char* place = (char*)((uintptr_t)p & ~MI_SEGMENT_MASK) + ((size_t)35 << 20);
    void* mine = mmap(place, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (mine != MAP_FAILED) {
      atomic_store(&beside, mine);
      tried++;
    }
    mi_free(p);
    atomic_store(&beside, NULL);
    if (mine != MAP_FAILED) {
      munmap(mine, 4096);
    } else { /* something lies there: the next block is to lie elsewhere */
      mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
  }
  atomic_store(&over, true);
  pthread_join(thread, NULL);
  CHECK_CMP(tried, >, ROUNDS / 2);
  memory_check();
  return 0;
}
