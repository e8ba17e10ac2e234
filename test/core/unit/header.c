/* miheap.h as a C program sees it: in each dialect, without a warning. */
#include "miheap.h"
#include "signatures.h"

typedef struct point_s {
  double x, y;
} point_t;

static void mi_cdecl free_later(bool force, unsigned long long heartbeat, void* arg) {
  (void)force, (void)heartbeat, (void)arg;
}
static void mi_cdecl output(const char* msg, void* arg) { (void)msg, (void)arg; }
static void mi_cdecl error(int err, void* arg) { (void)err, (void)arg; }

int main(void) {
  check_signatures();
  CHECK_EQ(mi_version(), MI_MALLOC_VERSION);
  CHECK_EQ(MI_SMALL_SIZE_MAX, MI_SMALL_WSIZE_MAX * sizeof(void*));
  CHECK_CMP(MI_ALIGNMENT_MAX, >=, 1024 * 1024);
  mi_register_deferred_free(free_later, NULL);
  mi_register_output(output, NULL);
  mi_register_error(error, NULL);
  point_t* p = mi_calloc_tp(point_t, 3);
  p = mi_recalloc_tp(p, point_t, 30);
  CHECK(p != NULL && p[29].y == 0);
  mi_free(p);
  mi_heap_t* heap = mi_heap_new();
  p = mi_heap_mallocn_tp(heap, point_t, 3);
  CHECK(p != NULL);
  mi_heap_destroy(heap);
  return 0;
}
