/* A few blocks of each class that a thread freed last, which malloc hands out before all others: they are in the cache,
   and no page is touched. So the thread's next block is the one that it freed, wherever that lies (Bonwick and Adams,
   "Magazines and Vmem", USENIX 2001; there, too, what is in a magazine is in use for the layer below). Where blocks of
   1 to 32 KiB are replaced at random, that takes 0.65 to 0.9 of the time (bench/NOTES.md).

   Only for blocks above MI_SMALL_SIZE_MAX: of smaller ones a page has many, and its list is as good. And only in a
   heap of some size: in a small one all is in the cache. Then:

     no page is held by blocks in a magazine alone, unless other threads freed the last ones that were not, or what they
       freed was just being purged
     once others are known to free blocks of this heap, what has been here for as long as the delay is taken by
       whoever purges, and freed as if by that thread, so that a thread which falls asleep keeps nothing here
     the magazine of a heap that is being visited is empty */
#ifndef MI_MAGAZINE_H
#define MI_MAGAZINE_H

#include "os/rare.h"
#include "page/page.h"

enum { MI_MAGAZINE_SEEN = 1 }; /* in a slot */

/* For the heap's thread, all of these. Most programs are small, and run none of magazine.c: what is asked on the way
   of each of them is asked here (cmake/layout.ld). */

/* A heap has none before it has so many pages. */
enum { MI_MAGAZINE_LEAST_PAGES = 64 };

/* Gives the heap a magazine, if it is one that may have it, and there is memory. */
void mi_magazine_start_slow(mi_heap_t* heap);
/* The same if the heap has use for it. Where pages are added. */
mi_inline void mi_magazine_start(mi_heap_t* heap) {
  bool many = heap->page_count >= MI_MAGAZINE_LEAST_PAGES || mi_rare(mi_rare_magazine);
  if (mi_unlikely(many) && heap->magazine == NULL) mi_magazine_start_slow(heap);
}

/* Other threads may look into it. */
void mi_magazine_watch_slow(mi_magazine_t* magazine);
/* Other threads are known to free blocks of this heap. */
mi_inline void mi_magazine_watch(mi_heap_t* heap) {
  if (heap->magazine != NULL) mi_magazine_watch_slow(heap->magazine);
}

void mi_magazine_flush_slow(mi_magazine_t* magazine);
/* Gives all blocks back to their pages. */
mi_inline void mi_magazine_flush(mi_heap_t* heap) {
  if (heap->magazine != NULL) mi_magazine_flush_slow(heap->magazine);
}

void mi_magazine_settle_slow(mi_magazine_t* magazine);
/* The same, and then waits until no other thread holds a block that it took from there: a few instructions of that
   thread. */
mi_inline void mi_magazine_settle(mi_heap_t* heap) {
  if (heap->magazine != NULL) mi_magazine_settle_slow(heap->magazine);
}

/* Gives one block of the bin back to its page. False if there is none. */
bool mi_magazine_give_back(mi_heap_t* heap, unsigned bin);
void mi_magazine_end_slow(mi_magazine_t* magazine);
/* The heap, which has let go of its pages, has no use for it any more. */
mi_inline void mi_magazine_end(mi_heap_t* heap) {
  if (heap->magazine != NULL) mi_magazine_end_slow(heap->magazine);
  heap->magazine = NULL;
}

/* How many blocks of the page are in there. */
size_t mi_magazine_count(const mi_magazine_t* magazine, const mi_page_t* page);
/* Whether the block is in there. */
bool mi_magazine_holds(const mi_page_t* page, const mi_block_t* block);

mi_inline unsigned mi_magazine_class(size_t bin) {
  return (unsigned)bin - (mi_bin_of(MI_SMALL_SIZE_MAX) + 1);
}

/* When somebody is to look into watched magazines; 0: nothing is in there, or what is free is not to be purged. */
extern mi_hidden _Atomic(int64_t) mi_magazine_due;
/* Whoever puts a block in there need not ask for a look: one comes that sees it. */
extern mi_hidden _Atomic(bool) mi_magazine_announced;
mi_noinline void mi_magazine_announce(void);

/* In hardened builds: reports a block that was written to since it was put in here. */
void mi_magazine_check(mi_block_t* block);

/* What a slot holds; NULL: nothing. */
mi_inline mi_block_t* mi_magazine_block(uintptr_t word) {
  return (mi_block_t*)(word & ~(uintptr_t)MI_MAGAZINE_SEEN);
}

/* A block of the class, or NULL. */
mi_inline mi_block_t* mi_magazine_pop(mi_magazine_t* magazine, unsigned size_class) {
  while (magazine->count[size_class] > 0) {
    _Atomic(uintptr_t)* slot = &magazine->slots[size_class][--magazine->count[size_class]];
    uintptr_t word;
    if (mi_likely(!atomic_load_explicit(&magazine->contended, memory_order_relaxed))) {
      word = atomic_load_explicit(slot, memory_order_relaxed);
      atomic_store_explicit(slot, 0, memory_order_relaxed);
    } else {
      /* Acquire pairs with the release of who took it: then we see that it is still looking (mi_magazine_settle). */
      word = atomic_exchange_explicit(slot, 0, memory_order_acquire);
    }
    if (mi_likely(word != 0)) {
      mi_block_t* block = mi_magazine_block(word);
      if (MI_HARDENED) mi_magazine_check(block);
      return block;
    }
  }
  return NULL;
}

/* There is room. */
mi_inline void mi_magazine_put(mi_magazine_t* magazine, const mi_page_t* page, mi_block_t* block) {
  unsigned size_class = mi_magazine_class(page->bin);
  if (MI_HARDENED) mi_block_set_next(page, block, NULL);
  /* Release: who takes it sees that our use of it is over. */
  atomic_store_explicit(&magazine->slots[size_class][magazine->count[size_class]++],
                        (uintptr_t)block, memory_order_release);
}

/* Blocks alive, without those that other threads freed. More if somebody is just purging these. */
mi_inline size_t mi_magazine_page_alive(const mi_page_t* page) {
  uintptr_t others = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  return mi_page_used(page) - mi_tf_count(others);
}

/* The page may be held by blocks in the magazine alone if one more is put there. If so, they go back to it. Returns
   whether they did. */
mi_noinline bool mi_magazine_lets_go(mi_magazine_t* magazine, mi_page_t* page);

/* Takes a block of the heap that this thread frees. False if it must go to its page. */
mi_inline bool mi_magazine_push(mi_heap_t* heap, mi_page_t* page, mi_block_t* block) {
  mi_magazine_t* magazine = heap->magazine;
  unsigned size_class = mi_magazine_class(page->bin);
  if (magazine == NULL || size_class >= MI_MAGAZINE_CLASSES || mi_unlikely(heap->visiting))
    return false;
  if (mi_unlikely(mi_magazine_page_alive(page) <= (size_t)page->in_magazine + 1) &&
      mi_magazine_lets_go(magazine, page)) {
    return false;
  }
  if (magazine->count[size_class] == MI_MAGAZINE_DEPTH) return false;
  mi_magazine_put(magazine, page, block);
  page->in_magazine++;
  /* The block is in there before the question is asked, but for what the processor makes of it: mi_magazine_round. */
  atomic_signal_fence(memory_order_seq_cst);
  if (atomic_load_explicit(&magazine->watched, memory_order_relaxed) &&
      mi_unlikely(!atomic_load_explicit(&mi_magazine_announced, memory_order_relaxed))) {
    mi_magazine_announce();
  }
  return true;
}

/* ---- Any thread ---- */

/* As mi_purge_next and mi_purge_round. */
mi_inline int64_t mi_magazine_next(void) { return atomic_load(&mi_magazine_due); }
int64_t mi_magazine_round(int64_t now);
/* Frees all that is in watched magazines of other threads. */
void mi_magazine_take_all(void);

/* In a forked child, whose one thread has this heap, or none: frees what the other threads had. */
void mi_magazines_forked(const mi_heap_t* heap);
/* No thread has one any more. */
void mi_magazines_unmap(void);

#endif
