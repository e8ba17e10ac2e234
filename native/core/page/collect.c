#include "page/page.h"

/* All blocks are free, and the page was purged. */
static void start_anew(mi_page_t* page) {
  page->free = page->local_free = NULL;
  page->used = page->capacity = 0;
  page->zero = 0;
  page->began_anew = true;
  atomic_store_explicit(&page->purged, NULL, memory_order_relaxed);
}

/* Moves thread_free to the front of local_free. */
static void collect_thread_free(mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  do {
    if (mi_likely(mi_tf_list(word) == NULL) && !mi_tf_is_purged(word)) return;
    /* Acquire pairs with the release of each push: the links are seen, and what the freeing
       threads wrote to their blocks before is over. The state stays. */
  } while (!atomic_compare_exchange_weak_explicit(&page->thread_free, &word, mi_tf_state(word),
                                                  memory_order_acquire, memory_order_relaxed));
  mi_block_t* head = mi_tf_list(word);
  if (mi_unlikely(head == NULL)) {
    start_anew(page);
    return;
  }
  atomic_store_explicit(&page->purged, NULL, memory_order_relaxed);
  mi_block_t* tail = head;
  size_t count = 1;
  for (mi_block_t* next; (next = mi_block_next(page, tail)) != NULL; tail = next) {
    if (mi_unlikely(++count > mi_tf_count(word))) break;
  }
  if (mi_unlikely(count != mi_tf_count(word))) {
    mi_misuse_later(EFAULT, "the list of what other threads freed is broken", page->start);
    return; /* its blocks are lost, and stay counted as used */
  }
  if (mi_unlikely(count > page->used)) {
    mi_misuse_later(EAGAIN, "other threads freed a block twice", page->start);
    return;
  }
  mi_block_set_next(page, tail, page->local_free);
  page->local_free = head;
  page->used -= (uint32_t)count;
}

void mi_page_free_collect(mi_page_t* page) {
  collect_thread_free(page);
  if (page->free == NULL && page->local_free != NULL) mi_page_adopt_local_free(page);
}

/* What is alive stays so; what is free is lost, and counted as used. */
static void lose_free_blocks(mi_page_t* page) {
  page->free = page->local_free = NULL;
  page->used = page->capacity;
}

void mi_page_free_collect_all(mi_page_t* page) {
  mi_page_free_collect(page);
  if (page->local_free == NULL) return;
  mi_block_t* tail = page->local_free;
  size_t count = 1;
  for (mi_block_t* next; (next = mi_block_next(page, tail)) != NULL; tail = next) {
    if (mi_unlikely(++count > page->capacity)) { /* a block that was freed twice makes a ring */
      lose_free_blocks(page);
      mi_misuse_later(EFAULT, "the list of what its thread freed is broken", page->start);
      return;
    }
  }
  mi_block_set_next(page, tail, page->free);
  mi_page_adopt_local_free(page);
}
