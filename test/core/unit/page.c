/* A page by itself: laying out, popping, the three lists, the identity; and that the walker sees damage. */
#include "page/page.h"

#include <pthread.h>
#include <string.h>

#include "check.h"
#include "page/orphan.h"

static mi_segments_tld_t tld;

static mi_page_t* new_page(size_t block_size) {
  mi_page_t* page = mi_segment_page_alloc(&tld, block_size);
  CHECK(page != NULL);
  return page;
}

static void drop(mi_page_t* page) {
  page->used = 0;
  mi_segment_page_free(&tld, page);
}

static size_t length(const mi_page_t* page, const mi_block_t* block) {
  size_t n = 0;
  for (; block != NULL; block = mi_block_next(page, block)) n++;
  return n;
}

static void push_local(mi_page_t* page, mi_block_t* block) {
  mi_block_set_next(page, block, page->local_free);
  page->local_free = block;
  page->used--;
}

static void push_thread(mi_page_t* page, mi_block_t* block) {
  uintptr_t word = atomic_load(&page->thread_free);
  do {
    mi_block_set_next(page, block, mi_tf_list(word));
  } while (!atomic_compare_exchange_weak(
      &page->thread_free, &word, mi_tf_make(block, mi_tf_count(word) + 1, mi_tf_state(word))));
}

/* Little by little, never more than a system page's worth, or four of memory that was used before, in order
   of address, until all is laid out. */
static void extend(size_t block_size) {
  mi_page_t* page = new_page(block_size);
  uint8_t* expected = page->start;
  while (page->capacity < page->reserved) {
    uint16_t before = page->capacity;
    mi_page_extend(page, 0);
    size_t added = (size_t)(page->capacity - before);
    CHECK_CMP(added, >, 0);
    size_t pages = page->memory_is_zero ? 1 : 4;
    if (added > pages) CHECK_CMP(added * block_size, <=, pages * mi_os_page_size());
    CHECK_EQ(length(page, page->free), added);
    CHECK(mi_page_is_valid(page));
    while (page->free != NULL) {
      CHECK_PTR(mi_page_pop(page), ==, expected);
      expected += block_size;
    }
    CHECK(mi_page_is_valid(page));
  }
  CHECK_EQ(page->used, page->reserved);
  drop(page);
}

/* Single blocks, also between extensions; their memory stays as it is. */
static void take_next(size_t block_size) {
  mi_page_t* page = new_page(block_size);
  memset(page->start, 0xAB, page->reserved * block_size);
  page->memory_is_zero = page->free_is_zero = false;
  uint8_t* expected = page->start;
  while (page->capacity < page->reserved) {
    const uint8_t* block = (const uint8_t*)mi_page_take_next(page);
    CHECK_PTR(block, ==, expected);
    for (size_t i = 0; i < block_size; i++) CHECK_EQ(block[i], 0xAB);
    CHECK(mi_page_is_valid(page));
    expected += block_size;
    if (page->capacity != 3) continue;
    mi_page_extend(page, 0);
    for (; page->free != NULL; expected += block_size) mi_page_pop(page);
  }
  CHECK_EQ(page->used, page->reserved);
  drop(page);
}

static void collect(void) {
  mi_page_t* page = new_page(64);
  mi_block_t* b[64];
  mi_page_extend(page, 0);
  for (int i = 0; i < 20; i++) b[i] = mi_page_pop(page);
  size_t rest = length(page, page->free);
  for (int i = 0; i < 5; i++) push_local(page, b[i]);
  for (int i = 5; i < 9; i++) push_thread(page, b[i]);
  CHECK(mi_page_is_valid(page));
  CHECK_EQ(page->used, 15); /* thread_free still counts */
  mi_page_free_collect(page);
  CHECK_EQ(page->used, 11);
  CHECK_EQ(length(page, page->free), rest); /* there was something to pop: untouched */
  CHECK_EQ(length(page, page->local_free), 9);
  CHECK(mi_page_is_valid(page));
  mi_page_free_collect_all(page);
  CHECK_EQ(length(page, page->free), rest + 9);
  CHECK_PTR(page->local_free, ==, NULL);
  CHECK(!page->free_is_zero);
  CHECK(mi_page_is_valid(page));
  while (page->free != NULL) mi_page_pop(page);
  push_local(page, b[11]);
  push_local(page, b[12]);
  CHECK_PTR(mi_page_pop_local(page), ==, b[12]);
  CHECK_PTR(mi_page_pop_local(page), ==, b[11]);
  CHECK_PTR(page->local_free, ==, NULL);
  CHECK(mi_page_is_valid(page));
  push_thread(page, b[10]);
  mi_page_free_collect(page);
  CHECK_PTR(page->free, ==, b[10]);
  CHECK_PTR(page->local_free, ==, NULL);
  CHECK(mi_page_is_valid(page));
  drop(page);
}

static void damage(void) {
  mi_page_t* page = new_page(64);
  mi_page_extend(page, 0);
  mi_block_t* a = mi_page_pop(page);
  mi_block_t* b = mi_page_pop(page);
  mi_page_t copy = *page;
  CHECK(mi_page_is_valid(page));
  page->used++;
  CHECK(!mi_page_is_valid(page));
  page->used = copy.used;
  page->capacity = (uint16_t)(page->reserved + 1);
  CHECK(!mi_page_is_valid(page));
  page->capacity = copy.capacity;
  push_local(page, a);
  page->used++; /* a block that is listed and in use */
  CHECK(!mi_page_is_valid(page));
  page->used = copy.used - 1;
  CHECK(mi_page_is_valid(page));
  page->local_free = (mi_block_t*)((uint8_t*)a + 8);
  CHECK(!mi_page_is_valid(page));
  page->local_free = a;
  mi_block_set_next(page, a, a); /* a cycle */
  CHECK(!mi_page_is_valid(page));
  mi_block_set_next(page, a, page->free); /* on both lists */
  CHECK(!mi_page_is_valid(page));
  mi_block_set_next(page, a, NULL);
  page->in_full = true;
  CHECK(!mi_page_is_valid(page));
  page->in_full = false;
  atomic_store(&page->thread_free, MI_TF_FULL);
  CHECK(!mi_page_is_valid(page));
  atomic_store(&page->thread_free, 0);
  CHECK(mi_page_is_valid(page));
  CHECK(mi_page_block_is_free(page, a));
  memset(b, 0, 64);
  CHECK(!mi_page_block_is_free(page, b));
  drop(page);
}

static void full_states(void) {
  mi_page_t* page = new_page(64);
  mi_page_extend(page, 0);
  mi_block_t* b = mi_page_pop(page);
  CHECK(mi_page_set_full(page));
  CHECK(!mi_page_set_full(page));
  mi_page_clear_full(page);
  CHECK_EQ(atomic_load(&page->thread_free), MI_TF_NORMAL);
  push_thread(page, b);
  CHECK(!mi_page_set_full(page)); /* a block has come back */
  mi_page_free_collect(page);
  atomic_store(&page->thread_free, MI_TF_BUSY);
  CHECK(!mi_page_set_full(page));
  CHECK(mi_page_is_busy(page));
  mi_page_clear_full(page);
  CHECK(mi_page_is_busy(page)); /* only who notifies ends that */
  atomic_store(&page->thread_free, MI_TF_NORMAL);
  drop(page);
}

static void* end_notifying(void* arg) {
  mi_page_t* page = arg;
  for (unsigned i = 0; i < 70; i++) mi_os_yield(i);
  atomic_fetch_and_explicit(&page->thread_free, ~(uintptr_t)MI_TF_STATE_MASK, memory_order_release);
  return NULL;
}

static void settle_waits(void) {
  mi_page_t* page = new_page(64);
  pthread_t thread;
  atomic_store(&page->thread_free, MI_TF_BUSY);
  CHECK_EQ(pthread_create(&thread, NULL, end_notifying, page), 0);
  mi_page_settle(page);
  CHECK_EQ(atomic_load(&page->thread_free), MI_TF_NORMAL);
  pthread_join(thread, NULL);
  drop(page);
}

/* The lost owner of a page may have stood in the middle of a change: only lists prove that blocks are free. */
static void free_for_certain(void) {
  mi_page_t* page = new_page(64);
  CHECK(mi_page_forget_if_free(page)); /* nothing is laid out */
  mi_page_extend(page, 0);
  mi_block_t* alive = mi_page_pop(page);
  mi_block_t* mine = mi_page_pop(page);
  mi_block_t* other = mi_page_pop(page);
  push_local(page, mine);
  push_thread(page, other);
  CHECK(!mi_page_forget_if_free(page));
  page->used = 1; /* as if `alive` was not counted yet, or was counted as free too early */
  CHECK(!mi_page_forget_if_free(page));
  /* As if local_free was just becoming `free`: the sum of their lengths is right by chance. */
  mi_block_t* list = page->free;
  while (list != NULL && mi_block_next(page, list) != NULL) list = mi_block_next(page, list);
  CHECK(list != NULL);
  mi_block_set_next(page, list, mine);
  CHECK(!mi_page_forget_if_free(page));
  mi_block_set_next(page, list, NULL);
  page->used = 2;
  push_local(page, alive);
  page->memory_is_zero = true;
  CHECK(mi_page_forget_if_free(page));
  CHECK_EQ(atomic_load(&page->thread_free), MI_TF_NORMAL);
  CHECK(!page->memory_is_zero); /* the owner may have been laying out more */
  drop(page);
  page = new_page(64);
  mi_page_extend(page, 0);
  while (page->free != NULL) mi_page_pop(page);
  CHECK(!mi_page_forget_if_free(page));
  atomic_store(&page->thread_free, MI_TF_WHOLE); /* all of it was purged */
  CHECK(mi_page_forget_if_free(page));
  drop(page);
}

/* Holes are on no list. */
static void holes_are_free_for_certain(void) {
  mi_page_t* page = new_page(5120);
  while (page->capacity < page->reserved) mi_page_take_next(page);
  mi_block_t* first = (mi_block_t*)page->start;
  mi_block_set_next(page, first, NULL);
  atomic_store(&page->thread_free, mi_tf_make(first, page->capacity, MI_TF_NORMAL));
  uint64_t all = mi_bits64(1, page->capacity - 1u);
  atomic_store(&page->holes, all & (all - 1));
  CHECK(!mi_page_forget_if_free(page));
  atomic_store(&page->holes, all | 1);
  CHECK(!mi_page_forget_if_free(page));
  atomic_store(&page->holes, all);
  CHECK(mi_page_forget_if_free(page));
  CHECK_EQ(atomic_load(&page->holes), 0);
  drop(page);
}

int main(void) {
  extend(8);
  extend(64);
  extend(112);
  extend(MI_SMALL_BLOCK_MAX);
  extend(MI_MEDIUM_BLOCK_MAX);
  extend(MI_LARGE_BLOCK_MAX);
  take_next(1280);
  take_next(MI_SMALL_BLOCK_MAX);
  take_next(MI_MEDIUM_BLOCK_MAX);
  free_for_certain();
  holes_are_free_for_certain();
  collect();
  damage();
  full_states();
  settle_waits();
  CHECK_EQ(tld.count, 0);
  return 0;
}
