/* What another thread did wrong is noticed in the middle of a call about a heap. The error function may delete that
   heap: the call is done with it. */
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "miheap.h"

static mi_heap_t* victim;

/* So that nothing of a heap that was deleted is left as it was. */
static void write_all_over(void) {
  enum { COUNT = 400, SIZE = 4096 };
  void* blocks[COUNT];
  for (int i = 0; i < COUNT; i++) {
    blocks[i] = mi_malloc(SIZE - 512 * (i % 2));
    memset(blocks[i], 0xaa, mi_usable_size(blocks[i]));
  }
  for (int i = 0; i < COUNT; i++) mi_free(blocks[i]);
}

static void delete_heap(int err, void* arg) {
  (void)err;
  (void)arg;
  if (victim == NULL) return;
  mi_heap_t* heap = victim;
  victim = NULL;
  mi_heap_delete(heap);
  write_all_over();
}

static void* free_twice(void* p) {
  mi_free(p);
  mi_free(p);
  return NULL;
}

static mi_heap_t* make_victim(void) {
  victim = mi_heap_new();
  void* p = mi_heap_malloc(victim, 48);
  CHECK(mi_heap_malloc(victim, 480) != NULL);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_twice, p), 0);
  pthread_join(thread, NULL);
  return victim;
}

int main(void) {
  mi_option_set(mi_option_show_errors, 0);
  mi_register_error(delete_heap, NULL);

  mi_heap_t* heap = make_victim();
  for (int i = 0; victim != NULL; i++) {
    CHECK_CMP(i, <, 1000000);
    CHECK(mi_heap_malloc(heap, 2000 + (size_t)(i % 7) * 4096) != NULL);
  }
  heap = make_victim();
  mi_heap_collect(heap, true);
  CHECK_PTR(victim, ==, NULL);
  make_victim();
  mi_collect(true);
  CHECK_PTR(victim, ==, NULL);
  make_victim();
  mi_subproc_add_current_thread(mi_subproc_new());
  CHECK_PTR(victim, ==, NULL);
  return 0;
}
