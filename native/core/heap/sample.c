/* Which allocations of a heap are guarded, in builds with MI_GUARDED. */
#include "heap/sample.h"

#include "os/os.h"

void mi_heap_sample(mi_heap_t* heap, size_t rate, size_t seed) {
  if (seed == 0) seed = mi_os_random();
  heap->guarded_rate = rate;
  heap->guarded_left = rate == 0 ? 0 : seed % rate + 1;
}

void mi_heap_sample_sizes(mi_heap_t* heap, size_t min, size_t max) {
  heap->guarded_min = min;
  heap->guarded_max = max;
}

void mi_heap_sample_as_options_say(mi_heap_t* heap) {
  mi_heap_sample_sizes(heap, (size_t)mi_option_get(mi_option_guarded_min),
                       (size_t)mi_option_get(mi_option_guarded_max));
  mi_heap_sample(heap, (size_t)mi_option_get(mi_option_guarded_sample_rate),
                 (size_t)mi_option_get(mi_option_guarded_sample_seed));
}

bool mi_heap_sample_next(mi_heap_t* heap, size_t size) {
  if (heap->guarded_rate == 0 || size < heap->guarded_min || size > heap->guarded_max) return false;
  if (--heap->guarded_left > 0) return false;
  heap->guarded_left = heap->guarded_rate;
  return true;
}
