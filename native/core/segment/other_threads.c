#include "segment/other_threads.h"

#include "segment/pin.h"
#include "segment/run.h"

bool mi_segment_is_of_another(const mi_segment_t* segment) {
  if (segment->cookie != mi_segment_cookie(segment)) return false;
  uintptr_t owner = mi_segment_owner(segment);
  return owner != 0 && owner != MI_ORPHAN && owner != mi_os_thread_id();
}

void mi_for_each_taken_slot(void (*fn)(mi_slot_ref_t ref, void* arg), void* arg) {
  size_t chunks = mi_chunk_count();
  size_t inside = 0; /* slots to come that belong to a run; in an arena, also in the next chunks */
  for (size_t i = 0; i < chunks; i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    uint32_t free = atomic_load_explicit(&chunk->free, memory_order_acquire);
    for (unsigned index = 0; index < chunk->slot_count; index++) {
      mi_slot_ref_t ref = {chunk, index};
      if (inside > 0) {
        inside--;
      } else if ((free >> index & 1) == 0) {
        inside = mi_run_slots(ref) - 1;
        fn(ref, arg);
      }
    }
  }
}

static void call_if_of_another(mi_segment_t* segment, void* arg) {
  void (**fn)(mi_segment_t * segment) = arg;
  if (mi_segment_is_of_another(segment)) (*fn)(segment);
}

static void call_in_slot(mi_slot_ref_t ref, void* arg) {
  mi_segment_t* segment = mi_segment_pin(ref);
  if (segment == NULL) return;
  call_if_of_another(segment, arg);
  mi_segment_unpin(ref);
}

void mi_segments_for_each_of_others(void (*fn)(mi_segment_t* segment)) {
  mi_for_each_taken_slot(call_in_slot, &fn);
  mi_segment_table_for_each(call_if_of_another, &fn);
}
