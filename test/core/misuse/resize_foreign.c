/* Every way of resizing or freeing says so once, and only once, when the pointer is not ours. */
#include "crime.h"

int main(void) {
  char foreign[64] = {0};
  void* p = foreign + 16;
  void* place = p;
  size_t before = 4711;
  size_t after = 4711;
  mi_heap_t* heap = mi_heap_new();
  prepare();
  announce(p);
  errno = 0;
  CHECK_PTR(mi_rezalloc(p, 100), ==, NULL);
  CHECK_EQ(errno, EINVAL);
  CHECK_PTR(mi_reallocf(p, 100), ==, NULL);
  CHECK_PTR(mi_heap_realloc(heap, p, 100), ==, NULL);
  CHECK_PTR(mi_recalloc_aligned_at(p, 10, 10, 64, 8), ==, NULL);
  CHECK_EQ(mi_reallocarr(&place, 10, 10), EINVAL);
  CHECK_PTR(place, ==, p);
  CHECK_PTR(mi_urealloc(p, 100, &before, &after), ==, NULL);
  CHECK_EQ(before, 0);
  CHECK_EQ(after, 4711);
  before = 4711;
  mi_ufree(p, &before);
  CHECK_EQ(before, 0);
  mi_free_size(p, 100);
  CHECK_EQ(mi_reallocarr(&place, 0, 10), EINVAL);
  CHECK_PTR(place, ==, p);
  mi_cfree(p); /* without a word */
  for (int i = 0; i < 64; i++) CHECK_EQ(foreign[i], 0);
  mi_heap_delete(heap);
  return unharmed();
}
