#include "page/scavenge.h"

#include "os/rare.h"
#include "page/page.h"
#include "segment/memory.h"
#include "segment/pin.h"
#include "segment/purge.h"

/* When something that was announced is due; 0: nothing was. */
static _Atomic(int64_t) next_due;

/* Sequentially consistent, as all on these two words: the announcer marks the chunk and then reads
   next_due; a round clears next_due and then reads the marks. One of them sees the other. */
void mi_scavenge_announce(mi_slot_ref_t ref) {
  if (ref.chunk->resident) return;
  atomic_fetch_or(&ref.chunk->whole, 1u << ref.index);
  if (atomic_load(&next_due) != 0) return;
  int64_t nothing = 0;
  atomic_compare_exchange_strong(&next_due, &nothing, mi_purge_due_time());
}

static void purge_page(mi_segment_t* segment, mi_page_t* page) {
  size_t size;
  uint8_t* area = mi_segment_page_area(segment, page, &size);
  uint8_t* first = (uint8_t*)mi_align_up((uintptr_t)area, mi_os_page_size());
  mi_memory_purge(first, size - (size_t)(first - area));
}

/* False if it must be looked at again. */
static bool scavenge_page(mi_segment_t* segment, mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  do {
    if ((word & MI_TF_WHOLE) == 0 || mi_tf_list(word) == NULL) return true;
    if (mi_tf_state(word) != MI_TF_NORMAL) return false;
    /* Acquire pairs with the release of each push: nobody writes to a block any more. */
  } while (!atomic_compare_exchange_weak_explicit(&page->thread_free, &word,
                                                  mi_tf_make(NULL, 0, MI_TF_NOTIFYING),
                                                  memory_order_acquire, memory_order_relaxed));
  mi_race_window();
  purge_page(segment, page);
  mi_race_window();
  /* Nobody has pushed meanwhile, since there is no other block. Release: the owner finds the
     purge over. */
  atomic_store_explicit(&page->thread_free, MI_TF_WHOLE | MI_TF_NORMAL, memory_order_release);
  return true;
}

static void scavenge_slot(mi_slot_ref_t ref) {
  mi_segment_t* segment = mi_segment_pin(ref);
  if (segment == NULL) return;
  bool done = true;
  for (unsigned i = 0; i < segment->page_count; i++) {
    if (!scavenge_page(segment, &segment->pages[i])) done = false;
  }
  mi_segment_unpin(ref);
  if (!done) mi_scavenge_announce(ref);
}

void mi_scavenge_all(void) {
  size_t count = mi_chunk_count();
  for (size_t i = 0; i < count; i++) {
    mi_chunk_t* chunk = mi_chunk_at(i);
    if (atomic_load(&chunk->whole) == 0) continue;
    for (uint32_t slots = atomic_exchange(&chunk->whole, 0); slots != 0; slots &= slots - 1) {
      scavenge_slot((mi_slot_ref_t){chunk, mi_ctz64(slots)});
    }
  }
}

void mi_scavenge_tick(void) {
  int64_t due = atomic_load_explicit(&next_due, memory_order_relaxed);
  if (mi_likely(due == 0) || (mi_os_now() < due && !mi_rare(mi_rare_purge))) return;
  if (atomic_compare_exchange_strong(&next_due, &due, 0)) mi_scavenge_all();
}
