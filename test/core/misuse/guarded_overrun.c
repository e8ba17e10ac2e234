/* The byte after a guarded block is written; the system stops the process there. */
#include "crime.h"

int main(void) {
  mi_option_enable(mi_option_guarded_precise);
  mi_heap_t* heap = mi_heap_new();
  mi_heap_guarded_set_sample_rate(heap, 1, 0);
  volatile char* p = mi_heap_malloc(heap, 100);
  announce((void*)p);
  for (int i = 0; i < 100; i++) p[i] = 1;
  p[mi_usable_size((void*)p)] = 1;
  return 1;
}
