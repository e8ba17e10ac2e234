/* A guarded block cannot be had, since the heap's arena is full; then blocks are freed, and the plain one that is
   allocated in its place leaves errno alone. */
#include <errno.h>

#include "check.h"
#include "miheap.h"

enum { ARENA_SIZE = 8 << 20, SIZE = 500 << 10, MOST = ARENA_SIZE / SIZE, MARK = 77 };

static void* kept[MOST];
static int count;
static int forced;

/* Each try to allocate forces one call: the second one belongs to the plain block. */
static void free_at_second(bool force, unsigned long long heartbeat, void* arg) {
  (void)heartbeat, (void)arg;
  if (!force || ++forced != 2) return;
  while (count > 0) mi_free(kept[--count]);
}

int main(void) {
  mi_arena_id_t arena;
  CHECK_EQ(mi_reserve_os_memory_ex(ARENA_SIZE, true, false, true, &arena), 0);
  mi_heap_t* heap = mi_heap_new_in_arena(arena);
  mi_heap_guarded_set_sample_rate(heap, 0, 0);
  while (count < MOST && (kept[count] = mi_heap_malloc(heap, SIZE)) != NULL) count++;
  CHECK_CMP(count, <, MOST);
  mi_heap_guarded_set_sample_rate(heap, 1, 0);
  mi_register_deferred_free(free_at_second, NULL);
  forced = 0;
  errno = MARK;
  CHECK(mi_heap_malloc(heap, SIZE) != NULL);
  CHECK_EQ(errno, MARK);
  CHECK_EQ(forced, 2);
  return 0;
}
