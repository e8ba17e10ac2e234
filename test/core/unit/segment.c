/* Pages of each kind from segments, and the segments' end. */
#include "segment/segment.h"

#include <string.h>

#include "check.h"
#include "memory.h"
#include "page/scavenge.h"
#include "segment/purge.h"
#include "segment/segment_queue.h"

static mi_segments_tld_t tld;

static void check_page(const mi_page_t* page, size_t block_size) {
  mi_segment_t* segment = mi_segment_of(page);
  size_t size;
  uint8_t* area = mi_segment_page_area(segment, page, &size);
  uint8_t* end = page->start + page->reserved * block_size;
  CHECK_EQ(page->block_size, block_size);
  CHECK_CMP(page->reserved, >, 0);
  CHECK_EQ((uintptr_t)page->start % mi_lowest_bit(block_size), 0);
  CHECK_PTR(page->start, >=, area);
  CHECK_PTR(end, <=, area + size);
  CHECK_PTR(mi_page_of(page->start), ==, page);
  CHECK_PTR(mi_page_of(end - 1), ==, page);
  CHECK(mi_segment_is_mine(segment));
}

/* Fills two segments with pages of one block size, and gives all of them back. */
static void kind(size_t block_size, unsigned per_segment) {
  mi_page_t* pages[2 * MI_UNITS_PER_SEGMENT];
  int64_t segments = memory_gauges().segments;
  for (unsigned i = 0; i < 2 * per_segment; i++) {
    pages[i] = mi_segment_page_alloc(&tld, block_size);
    CHECK(pages[i] != NULL);
    check_page(pages[i], block_size);
    for (unsigned k = 0; k < i; k++) CHECK(pages[k] != pages[i]);
    CHECK_EQ(memory_gauges().segments - segments, i / per_segment + 1);
  }
  mi_segment_t* first = mi_segment_of(pages[0]);
  CHECK_EQ(first->used, per_segment);
  /* Where alignment leaves gaps, smaller pages fit in. */
  CHECK(block_size > MI_SMALL_BLOCK_MAX || first->queue == MI_QUEUE_NONE);
  for (unsigned i = 1; i < 2 * per_segment; i++) {
    mi_segment_page_free(&tld, pages[i]);
    if (i >= per_segment) continue;
    CHECK_CMP(first->queue, !=, MI_QUEUE_NONE);
    CHECK_EQ(pages[i]->block_size, 0);
    CHECK_EQ(atomic_load(&pages[i]->flags), MI_PAGE_UNUSED);
  }
  CHECK_EQ(memory_gauges().segments - segments, 1);
  CHECK_EQ(first->cookie, mi_segment_cookie(first));
  mi_segment_page_free(&tld, pages[0]);
  CHECK_EQ(memory_gauges().segments, segments);
  CHECK_EQ(first->cookie, 0);
  CHECK_EQ(mi_segment_owner(first), 0);
  CHECK_EQ(tld.count, 0);
  for (int room = 0; room < MI_QUEUE_COUNT; room++) CHECK_PTR(tld.free[room], ==, NULL);
}

/* A page whose memory was never written is known to be zero; one that was written is not, until purged. */
static void zero(void) {
  mi_purge_all();
  mi_page_t* keep = mi_segment_page_alloc(&tld, 1024);
  mi_page_t* page = mi_segment_page_alloc(&tld, 1024);
  CHECK(page->memory_is_zero);
  memset(page->start, 1, 64 * 63);
  page->capacity = 63;
  mi_segment_page_free(&tld, page);
  page = mi_segment_page_alloc(&tld, 1024);
  CHECK(!page->memory_is_zero);
  mi_segment_page_free(&tld, page);
  mi_purge_all();
  page = mi_segment_page_alloc(&tld, 1024);
  CHECK(page->memory_is_zero);
  for (size_t i = 0; i < 1024; i++) CHECK_EQ(page->start[i], 0);
  mi_segment_page_free(&tld, page);
  mi_segment_page_free(&tld, keep);
}

/* Of a page that was never written in full, only the part laid out needs a purge. */
static void only_what_was_laid_out_is_dirty(void) {
  mi_purge_all();
  mi_page_t* page = mi_segment_page_alloc(&tld, MI_LARGE_BLOCK_MAX / 2);
  mi_segment_t* segment = mi_segment_of(page);
  mi_slot_t* slot = &segment->chunk->slots[segment->slot_index];
  page->capacity = 1;
  size_t end = (size_t)(page->start - (uint8_t*)segment) + page->block_size;
  unsigned first = mi_page_index(segment, page);
  unsigned written = (unsigned)((end + MI_UNIT_SIZE - 1) / MI_UNIT_SIZE) - first;
  mi_segment_page_free(&tld, page);
  uint64_t dirty = 1 | mi_bits64(first, written); /* with the header */
  CHECK_EQ(atomic_load(&slot->dirty), dirty);
  CHECK_EQ(atomic_load(&slot->clean), ~dirty);
  mi_purge_all();
}

enum { SEGMENTS = 30 };

/* Gives back the small pages in so many units from `first` on. */
static void make_hole(mi_segment_t* segment, unsigned first, unsigned units) {
  for (unsigned i = first; i < first + units; i++) mi_segment_page_free(&tld, &segment->pages[i]);
}

static void free_pages(mi_segment_t* segment) {
  for (uint64_t left = mi_segment_pages(segment); left != 0; left &= left - 1) {
    mi_segment_page_free(&tld, &segment->pages[mi_ctz64(left)]);
  }
}

/* Long pages find their place behind any number of segments where they do not fit, and short ones leave it to them. */
static void where_it_fits(void) {
  enum { LONG = 3 << 16 }; /* 3 units */
  mi_segment_t* full[SEGMENTS];
  for (unsigned s = 0; s < SEGMENTS; s++) {
    for (unsigned i = 0; i < MI_UNITS_PER_SEGMENT; i++) {
      full[s] = mi_segment_of(mi_segment_page_alloc(&tld, 64));
    }
    CHECK_EQ(full[s]->used, MI_UNITS_PER_SEGMENT);
  }
  int64_t segments = memory_gauges().segments;
  for (unsigned s = 0; s < SEGMENTS - 1; s++) make_hole(full[s], 30, 2);
  mi_segment_t* last = full[SEGMENTS - 1];
  make_hole(last, 10, 6);
  CHECK(mi_segment_has_free_page(&tld, LONG));
  mi_page_t* longer = mi_segment_page_alloc(&tld, LONG);
  CHECK_PTR(mi_segment_of(longer), ==, last);
  CHECK_EQ(memory_gauges().segments, segments);
  mi_segment_page_free(&tld, longer);
  CHECK_EQ(mi_segment_pages(last), ~mi_bits64(10, 6));
  make_hole(full[2], 40, 1);
  mi_page_t* page = mi_segment_page_alloc(&tld, 64);
  CHECK_PTR(mi_segment_of(page), !=, last);
  mi_segment_page_free(&tld, page);
  for (unsigned s = 0; s < SEGMENTS; s++) free_pages(full[s]);
  CHECK_EQ(tld.count, 0);
}

/* Resident memory is found behind any number of segments with shorter holes where it is clean. */
static void resident_behind_clean(void) {
  mi_segment_t* full[SEGMENTS];
  mi_purge_all();
  for (unsigned s = 0; s < SEGMENTS; s++) {
    for (unsigned i = 0; i < MI_UNITS_PER_SEGMENT; i++) {
      full[s] = mi_segment_of(mi_segment_page_alloc(&tld, 64));
    }
  }
  for (unsigned s = 0; s < SEGMENTS - 1; s++) make_hole(full[s], 30, 1);
  CHECK_PTR(mi_segment_page_alloc_resident(&tld, 64), ==, NULL);
  mi_segment_t* last = full[SEGMENTS - 1];
  for (unsigned i = 10; i < 14; i++) last->pages[i].capacity = 1; /* as if it was written */
  make_hole(last, 10, 4);
  mi_page_t* page = mi_segment_page_alloc_resident(&tld, 64);
  CHECK_PTR(page, ==, &last->pages[10]);
  mi_segment_page_free(&tld, page);
  for (unsigned s = 0; s < SEGMENTS; s++) free_pages(full[s]);
  CHECK_EQ(tld.count, 0);
}

/* Where only the unit of the header is free, no page of one large block fits, however short. */
static void not_with_the_header(void) {
  enum { SHORT = 5 << 13 };
  mi_segment_t* full[SEGMENTS];
  for (unsigned s = 0; s < SEGMENTS; s++) {
    for (unsigned i = 1; i < MI_UNITS_PER_SEGMENT; i++) {
      full[s] = mi_segment_of(mi_segment_page_alloc(&tld, SHORT));
    }
    CHECK_EQ(full[s]->used, MI_UNITS_PER_SEGMENT - 1);
  }
  for (unsigned s = SEGMENTS; s-- > 0;) {
    CHECK(!mi_segment_has_free_page(&tld, SHORT));
    mi_segment_page_free(&tld, &full[s]->pages[17]);
    CHECK_PTR(mi_segment_page_alloc(&tld, SHORT), ==, &full[s]->pages[17]);
  }
  mi_page_t* small = mi_segment_page_alloc(&tld, 64);
  CHECK_PTR(small, ==, &mi_segment_of(small)->pages[0]);
  for (unsigned s = 0; s < SEGMENTS; s++) free_pages(full[s]);
  CHECK_EQ(tld.count, 0);
}

/* Leaves a slot with so many dirty units, while another segment has room. */
static mi_slot_ref_t leave(unsigned units, mi_page_t** other) {
  mi_page_t* pages[MI_UNITS_PER_SEGMENT];
  mi_purge_all();
  for (unsigned i = 0; i < MI_UNITS_PER_SEGMENT; i++) {
    pages[i] = mi_segment_page_alloc(&tld, 64);
    if (i < units) pages[i]->capacity = 1; /* or it would be given back as never written */
  }
  mi_slot_ref_t ref = mi_segment_slot(mi_segment_of(pages[0]));
  *other = mi_segment_page_alloc(&tld, 64);
  CHECK_PTR(mi_segment_of(*other), !=, mi_slot_start(ref));
  for (unsigned i = 0; i < MI_UNITS_PER_SEGMENT; i++) mi_segment_page_free(&tld, pages[i]);
  CHECK_EQ(tld.count, 1);
  return ref;
}

static mi_page_t* take_back(void) {
  mi_page_t* page = mi_segment_page_alloc_left(&tld, MI_SMALL_BLOCK_MAX + 1024);
  if (page != NULL) mi_segment_page_free(&tld, page);
  return page;
}

/* What a thread left is taken back before clean memory is touched: while it is resident, and nobody else has it. */
static void taken_back(void) {
  mi_page_t* other;
  mi_slot_ref_t ref = leave(40, &other);
  mi_page_t* page = take_back();
  CHECK_PTR(mi_segment_of(page), ==, mi_slot_start(ref));
  CHECK_CMP(mi_page_index(mi_segment_of(page), page), <, 40);
  mi_segment_page_free(&tld, other);

  leave(4, &other); /* not worth it */
  CHECK_PTR(take_back(), ==, NULL);
  mi_segment_page_free(&tld, other);

  leave(40, &other);
  mi_purge_all();
  CHECK_PTR(take_back(), ==, NULL);
  mi_segment_page_free(&tld, other);

  ref = leave(40, &other);
  bool zero, busy;
  CHECK(mi_slot_take_this(ref, mi_bits64(5, 1), &zero, &busy));
  CHECK_PTR(take_back(), ==, NULL);
  mi_units_release(ref, mi_bits64(5, 1), 0);
  mi_slot_release(ref);
  CHECK_PTR(take_back(), ==, NULL); /* it was forgotten */
  mi_segment_page_free(&tld, other);
  CHECK_EQ(tld.count, 0);
}

/* Descriptors lie where anything may have been before. Nobody looks at those of pages that never were in use. */
static void where_others_wrote(void) {
  mi_page_t* first = mi_segment_page_alloc(&tld, 1024);
  mi_segment_t* segment = mi_segment_of(first);
  size_t header_size = segment->header_size;
  mi_segment_page_free(&tld, first);
  /* As thread_free: all blocks of the page came back. */
  memset((uint8_t*)segment + sizeof(segment->thread_id), 0x9c,
         header_size - sizeof(segment->thread_id));
  mi_page_t* pages[3];
  for (unsigned i = 0; i < 3; i++) {
    pages[i] = mi_segment_page_alloc(&tld, i == 1 ? 3 << 16 : 1024);
    CHECK_PTR(mi_segment_of(pages[i]), ==, segment);
    check_page(pages[i], i == 1 ? 3 << 16 : 1024);
    CHECK_EQ(atomic_load(&pages[i]->thread_free), 0);
    CHECK_PTR(pages[i]->next, ==, NULL);
  }
  mi_scavenge_announce(mi_segment_slot(segment), MI_UNIT_SIZE);
  mi_scavenge_all();
  CHECK_EQ(memcmp(&segment->pages[62], &segment->pages[63], sizeof(mi_page_t)), 0);
  CHECK_EQ(*(const uint8_t*)&segment->pages[63].thread_free, 0x9c);
  for (unsigned i = 0; i < 3; i++) mi_segment_page_free(&tld, pages[i]);
  CHECK_EQ(tld.count, 0);
}

/* What a forked child finds if a lost thread had ended a page but for its last bit. */
static void ended_but_for_a_bit(void) {
  mi_page_t* stays = mi_segment_page_alloc(&tld, MI_SMALL_BLOCK_MAX);
  mi_page_t* ends = mi_segment_page_alloc(&tld, MI_MEDIUM_BLOCK_MAX);
  mi_segment_t* segment = mi_segment_of(stays);
  CHECK_PTR(mi_segment_of(ends), ==, segment);
  uint64_t coarse = atomic_load(&segment->coarse_pages);
  mi_segment_page_free(&tld, ends);
  CHECK_CMP(atomic_load(&segment->coarse_pages), !=, coarse);
  atomic_store(&segment->coarse_pages, coarse);
  mi_segment_queue_remove(&tld, segment); /* as an abandoned one */
  mi_segment_forget_ended_pages(segment);
  CHECK(!mi_segment_page_is_coarse(segment, ends));
  CHECK(mi_segment_page_is_coarse(segment, stays));
  mi_segment_queue_update(&tld, segment);
  mi_segment_page_free(&tld, stays);
}

int main(void) {
  mi_option_set(mi_option_purge_delay, 3600000);
  kind(8, 64);
  kind(MI_SMALL_BLOCK_MAX, 64);
  kind(mi_align_up(MI_SMALL_BLOCK_MAX + 1, 1024), 63 / 2);
  kind(MI_MEDIUM_BLOCK_MAX, 63 / (MI_MEDIUM_BLOCKS * MI_MEDIUM_BLOCK_MAX / MI_UNIT_SIZE));
  kind(5 << 13, 63);
  kind(5 << 14, 31);
  kind(3 << 16, 21);
  kind(1 << 20, 3);
  kind(MI_LARGE_BLOCK_MAX, 1);
  where_it_fits();
  resident_behind_clean();
  not_with_the_header();
  taken_back();
  where_others_wrote();
  zero();
  only_what_was_laid_out_is_dirty();
  ended_but_for_a_bit();
  mi_purge_all();
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
