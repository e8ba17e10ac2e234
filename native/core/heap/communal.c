#include "heap/communal.h"

#include "os/rare.h"
#include "segment/abandoned.h"
#include "stats/stats.h"

/* ---- Whether ---- */

/* Where threads hardly free each other's large blocks, each is better off with its own. */
enum { ENOUGH = 32 };
static _Atomic(unsigned) learned;

void mi_communal_learn(void) {
  if (atomic_load_explicit(&learned, memory_order_relaxed) < ENOUGH) {
    atomic_fetch_add_explicit(&learned, 1, memory_order_relaxed);
  }
}

static bool has_begun(void) {
  return atomic_load_explicit(&learned, memory_order_relaxed) >= ENOUGH ||
         mi_rare(mi_rare_communal);
}

bool mi_communal_serves(const mi_heap_t* heap, size_t block_size) {
  return block_size > MI_MEDIUM_BLOCK_MAX && mi_unlikely(has_begun()) &&
         heap == &heap->tld->backing && mi_subproc_of(heap->segments) == &mi_subproc_first &&
         !mi_option_is_enabled(mi_option_visit_abandoned); /* who wants to see what threads left */
}

/* ---- Pages ---- */

/* Never given twice, unlike the address of a heap. */
static uintptr_t id_of(mi_tld_t* tld) {
  static _Atomic(uintptr_t) last;
  if (tld->communal_id == 0) {
    tld->communal_id = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
  }
  return tld->communal_id;
}

/* Before others can hold the segment. */
static void begin(mi_page_t* page, mi_heap_t* heap, unsigned bin) {
  page->bin = (uint8_t)bin;
  page->tag = heap->tag;
  page->communal_id = id_of(heap->tld);
  atomic_store_explicit(&page->link, 1, memory_order_relaxed);
}

static mi_page_t*
take_from(mi_segments_tld_t* tld, mi_segment_t* segment, mi_heap_t* heap, unsigned bin) {
  mi_page_t* page = mi_segment_page_alloc_in(tld, segment, mi_bin_block_size(bin), false);
  if (page != NULL) begin(page, heap, bin);
  mi_segment_queue_remove(tld, segment);
  mi_race_window();
  mi_communal_let_go(mi_segment_slot(segment));
  return page;
}

static mi_page_t* take_new(mi_segments_tld_t* tld, mi_heap_t* heap, unsigned bin) {
  mi_page_t* page = mi_segment_page_alloc(tld, mi_bin_block_size(bin));
  if (page == NULL) return NULL;
  mi_segment_t* segment = mi_segment_of(page);
  begin(page, heap, bin);
  segment->abandoned_pages = segment->used;
  mi_segment_queue_remove(tld, segment);
  mi_segment_abandon(tld, segment);
  return page;
}

/* Where memory is resident, before it is made so. */
static mi_page_t* take_page(mi_heap_t* heap, unsigned bin) {
  mi_segments_tld_t tld = {.subproc = &mi_subproc_communal};
  for (int resident = 1; resident >= 0; resident--) {
    mi_segment_t* segment =
        mi_abandoned_hold_for(&mi_subproc_communal, mi_bin_block_size(bin), resident);
    if (segment == NULL) continue;
    mi_page_t* page = take_from(&tld, segment, heap, bin);
    if (page != NULL) return page;
  }
  return take_new(&tld, heap, bin);
}

mi_page_t* mi_communal_page_alloc(mi_heap_t* heap, unsigned bin) {
  mi_page_t* page = take_page(heap, bin);
  if (page == NULL) return NULL;
  if (MI_TRACK) mi_page_set_flag(page, MI_PAGE_HAS_ALIGNED, true);
  mi_thread_stat_up(heap->tld, pages);
  mi_page_extend(page);
  return page;
}

bool mi_communal_page_resize(mi_page_t* page, unsigned bin, bool* zero) {
  mi_segments_tld_t tld = {.subproc = &mi_subproc_communal};
  mi_segment_t* segment = mi_segment_of(page);
  mi_slot_ref_t slot = mi_segment_slot(segment);
  if (mi_abandoned_hold(&mi_subproc_communal, slot) == NULL) return false;
  bool done = mi_segment_page_resize(&tld, page, mi_bin_block_size(bin), zero);
  if (done) page->bin = (uint8_t)bin;
  mi_segment_queue_remove(&tld, segment);
  mi_communal_let_go(slot);
  return done;
}

/* ---- Whose ---- */

static bool is_of(const mi_page_t* page, const mi_heap_t* heap) {
  return heap == &heap->tld->backing && page->communal_id == heap->tld->communal_id;
}

bool mi_communal_is_of(const mi_page_t* page, const mi_heap_t* heap) {
  return mi_segment_is_communal(mi_segment_of(page)) && is_of(page, heap);
}

/* Copies the heap's first page in this slot from that index on. False if there is none. */
static bool copy_next(mi_slot_ref_t slot, unsigned* index, const mi_heap_t* heap, mi_page_t* copy) {
  mi_segment_t* segment = mi_abandoned_hold_patiently(&mi_subproc_communal, slot);
  if (segment == NULL) return false;
  bool found = false;
  uint64_t pages = mi_segment_pages(segment);
  for (; *index < segment->page_count && !found; ++*index) {
    const mi_page_t* page = &segment->pages[*index];
    if ((pages >> *index & 1) == 0 || !is_of(page, heap)) continue;
    found = !mi_page_abandoned_has_come_back(page);
    if (found) *copy = *page;
  }
  mi_communal_let_go(slot);
  return found;
}

bool mi_communal_for_each(const mi_heap_t* heap, mi_communal_fun* fn, void* arg) {
  if (heap->tld->communal_id == 0) return true;
  size_t chunks = mi_chunk_count();
  for (size_t i = 0; i < chunks; i++) {
    for (unsigned slot = 0; slot < MI_SLOTS_PER_CHUNK; slot++) {
      unsigned index = 0;
      mi_page_t page;
      while (copy_next((mi_slot_ref_t){mi_chunk_at(i), slot}, &index, heap, &page)) {
        if (!fn(&page, arg)) return false;
      }
    }
  }
  return true;
}

static bool free_page(const mi_page_t* copy, void* arg) {
  (void)arg;
  mi_communal_page_free(mi_page_of(copy->start));
  return true;
}

void mi_communal_free_pages(mi_heap_t* heap) { mi_communal_for_each(heap, free_page, NULL); }

size_t mi_communal_count(void) {
  return atomic_load_explicit(&mi_subproc_communal.abandoned, memory_order_relaxed);
}
