#include "page/holes.h"
#include "page/page.h"
#include "segment/pace.h"

void mi_page_start_anew(mi_page_t* page) {
  page->free = page->local_free = NULL;
  page->used = page->capacity = 0;
  page->memory_is_zero = page->free_is_zero = false;
  page->began_anew = true;
  mi_page_forget_holes(page);
  mi_page_forget_looks(page);
}

/* Empties thread_free, without changing its state. Returns its list, and sets *count to the number
   of blocks on it. NULL if there is no list (if the page was purged, it starts anew), or if more
   blocks are on it than are in use. */
static mi_block_t* take_thread_free(mi_page_t* page, size_t* count) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  do {
    if (mi_likely(mi_tf_list(word) == NULL) && !mi_tf_is_purged(word)) return NULL;
    /* Acquire: pairs with the release of each push; we see the links, and the freeing threads do
       not write to their blocks any more. */
  } while (!atomic_compare_exchange_weak_explicit(&page->thread_free, &word, mi_tf_state(word),
                                                  memory_order_acquire, memory_order_relaxed));
  if (mi_unlikely(mi_tf_list(word) == NULL)) {
    mi_pace_taken((size_t)page->reserved * page->block_size);
    /* Not if it is retired: malloc and free in it do not end that, and the heap counts it so. */
    if (page->retire_expire == 0) page->touched_bytes = 0;
    mi_page_start_anew(page);
    return NULL;
  }
  size_t again = page->bin == MI_BIN_HUGE
                     ? atomic_load_explicit(&page->purged, memory_order_relaxed)
                     : mi_page_hole_count(page);
  if (mi_unlikely(again > 0)) mi_pace_taken(again * page->block_size);
  mi_page_forget_looks(page);
  *count = mi_tf_count(word);
  if (mi_unlikely(*count > page->used)) {
    mi_misuse_later(EAGAIN, "other threads freed a block twice", page->start);
    return NULL; /* its blocks are lost, and stay counted as used */
  }
  return mi_page_fill_holes(page, mi_tf_list(word), *count);
}

mi_block_t* mi_page_last_of(const mi_page_t* page, mi_block_t* list, size_t* count) {
  *count = 1;
  for (mi_block_t* next; (next = mi_block_next(page, list)) != NULL; list = next) {
    if (mi_unlikely(++*count > page->capacity)) return NULL;
  }
  return list;
}

/* Decides whether the page will be SHARED when it is full: it will if other threads free in it,
   until the owner has freed much more than they. `owner` and `others`: how many blocks each freed
   since the last look, which may be very few. */
static void set_shared_credit(mi_page_t* page, size_t owner, size_t others) {
  enum { MOST = 7 };
  if (mi_page_others_prevail(owner, others)) {
    if (others > 0) page->shared_credit = MOST;
    return;
  }
  size_t against = owner - 2 * others;
  size_t credit = page->shared_credit;
  page->shared_credit = (uint8_t)(credit < against ? 0 : credit - against) & MOST;
}

static void update_shared_credit(mi_page_t* page, size_t count) {
  if (!mi_page_is_shared(page)) {
    set_shared_credit(page, page->capacity - page->used, count);
    return;
  }
  size_t owner = page->owner_shared;
  set_shared_credit(page, owner, count > owner ? count - owner : 0);
}

/* Moves the blocks on thread_free to `free`, if that is empty, else to the front of local_free. */
static void collect_thread_free(mi_page_t* page) {
  mi_assert(mi_page_is_locked(page));
  page->collected = true;
  size_t count = 0;
  mi_block_t* list = take_thread_free(page, &count);
  if (count > 0) update_shared_credit(page, count);
  /* If another thread holds the list to purge it, the page stays SHARED as long as `free` is
     empty. What the owner has on that list is still the owner's then, not freed by others. */
  bool held = mi_page_is_busy(page);
  size_t owner = held && page->owner_shared > count ? page->owner_shared - count : 0;
  if (mi_page_is_shared(page) && (count > 0 || !held)) mi_page_unshare(page);
  if (!mi_page_is_shared(page)) page->owner_shared = (uint16_t)owner;
  if (mi_likely(list == NULL)) return;
  mi_assert(page->uncounted == 0);
  bool becomes_free = page->free == NULL;
  /* The blocks are in other threads' caches: the list is followed only if its end is needed, or is
     checked. That saves 5 % of the time of bench/workloads/ageing.c. */
  if (MI_CHECKED || !becomes_free) {
    size_t found;
    mi_block_t* last = mi_page_last_of(page, list, &found);
    if (mi_unlikely(last == NULL || found != count)) {
      mi_misuse_later(EFAULT, "the list of what other threads freed is broken", page->start);
      return;
    }
    if (!becomes_free) {
      mi_block_set_next(page, last, page->local_free);
      page->local_free = list;
    }
  }
  if (becomes_free) {
    page->free = list;
    page->free_is_zero = false;
  }
  page->used = (uint32_t)(page->used - count);
}

void mi_page_free_collect(mi_page_t* page) {
  if (!page->in_full) mi_page_count_all(page);
  collect_thread_free(page);
  if (page->free == NULL && page->local_free != NULL) mi_page_adopt_local_free(page);
}

bool mi_page_collect_single(mi_page_t* page) {
  for (;;) {
    mi_page_free_collect(page);
    if (mi_page_is_empty(page)) return true;
    /* Acquire: pairs with the release at the end of a purge (page/scavenge.c). */
    uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
    if (mi_tf_state(word) == MI_TF_BUSY) return false;
    if (mi_tf_list(word) == NULL && !mi_tf_is_purged(word)) return true;
  }
}

/* Live blocks stay alive. Free blocks are lost, and count as used. */
static void lose_free_blocks(mi_page_t* page) {
  page->free = page->local_free = NULL;
  page->used = page->capacity;
}

void mi_page_free_collect_all(mi_page_t* page) {
  mi_page_free_collect(page);
  if (page->local_free == NULL) return;
  size_t count;
  mi_block_t* tail = mi_page_last_of(page, page->local_free, &count);
  if (mi_unlikely(tail == NULL)) {
    lose_free_blocks(page);
    mi_misuse_later(EFAULT, "the list of what its thread freed is broken", page->start);
    return;
  }
  mi_block_set_next(page, tail, page->free);
  mi_page_adopt_local_free(page);
}
