/* A magazine: the blocks of each class that a thread freed last. malloc hands these out before all
   others: they are in the cache, and no list of a page is touched (Bonwick and Adams, "Magazines
   and Vmem", USENIX 2001; as in that paper, a block in a magazine is in use for the layer below).
   Where blocks of 1 to 32 KiB are replaced at random, that takes 0.65 to 0.85 of the time
   (bench/NOTES.md).

   Only for blocks above MI_SMALL_SIZE_MAX: of smaller ones a page has many, and its list is as
   good. And only in a heap of some size: all blocks of a small one are in the cache. Nothing is
   written to the page of a block. What holds:

     few pages stay in use only because of blocks in a magazine: ARCHITECTURE.md says which
     it is *watched*, from the first heartbeat on at which anything is to be purged: a thread that
       purges takes out what was there for the whole delay, and frees it as another thread does. So
       a thread that falls asleep keeps nothing in its magazine
     the magazine of a heap that is being visited is empty

   Unless a comment says otherwise, everything is for the thread that owns the heap. Most programs
   are small, and run nothing of magazine.c: the inlines here ask whether there is a magazine, and
   only then call the functions in _slow (cmake/layout.ld). */
#ifndef MI_MAGAZINE_H
#define MI_MAGAZINE_H

#include "os/rare.h"
#include "page/page.h"

enum { MI_MAGAZINE_SEEN = 1 }; /* in a slot: a sweep saw the block there */

/* A heap with fewer pages gets no magazine. */
enum { MI_MAGAZINE_LEAST_PAGES = 64 };

/* All magazines, linked by `next`. */
extern mi_hidden _Atomic(mi_magazine_t*) mi_magazines;

void mi_magazine_start_slow(mi_heap_t* heap);
/* Gives the heap a magazine, if it is large enough, may have one, and there is memory. To be called
   when pages were added. */
mi_inline void mi_magazine_start(mi_heap_t* heap) {
  bool many = heap->page_count >= MI_MAGAZINE_LEAST_PAGES || mi_rare(mi_rare_magazine);
  if (mi_unlikely(many) && heap->magazine == NULL) mi_magazine_start_slow(heap);
}

mi_inline bool mi_magazine_is_watched(const mi_magazine_t* magazine) {
  /* Acquire: pairs with the release of mi_magazine_watch. */
  return atomic_load_explicit(&magazine->watched, memory_order_acquire);
}
/* From now on sweeps look into the magazine. */
void mi_magazine_watch(mi_magazine_t* magazine);

void mi_magazine_flush_slow(mi_magazine_t* magazine);
/* Gives all blocks in the magazine back to their pages. */
mi_inline void mi_magazine_flush(mi_heap_t* heap) {
  if (heap->magazine != NULL) mi_magazine_flush_slow(heap->magazine);
}

void mi_magazine_settle_slow(mi_magazine_t* magazine);
/* mi_magazine_flush; then waits until no other thread holds a block that it took from the magazine:
   a few instructions of that thread. */
mi_inline void mi_magazine_settle(mi_heap_t* heap) {
  if (heap->magazine != NULL) mi_magazine_settle_slow(heap->magazine);
}

void mi_magazine_end_slow(mi_magazine_t* magazine);
/* The heap, which has let go of its pages, gives up its magazine. */
mi_inline void mi_magazine_end(mi_heap_t* heap) {
  if (heap->magazine != NULL) mi_magazine_end_slow(heap->magazine);
  heap->magazine = NULL;
}

/* Decides whether the owner's frees in a page of the heap go to the magazine, or are plain pushes.
   To be called when the heap gets the page, or a magazine. */
mi_inline void mi_magazine_set_freer(const mi_heap_t* heap, mi_page_t* page) {
  page->to_magazine =
      heap->magazine != NULL && page->block_size > MI_SMALL_SIZE_MAX && page->reserved > 1;
  mi_page_set_freer(page);
}

/* Gives the block of the class that was freed last back to its page. False if there is none. */
bool mi_magazine_return_one(mi_magazine_t* magazine, unsigned size_class);
/* mi_magazine_return_one, for a malloc of this bin, which finds the block then. */
bool mi_magazine_give_back(mi_heap_t* heap, unsigned bin);

/* Gives a block that was just taken out of this thread's magazine back to its page. */
void mi_magazine_return(mi_block_t* block);

/* How many blocks of the page are in the magazine. */
size_t mi_magazine_count(const mi_magazine_t* magazine, const mi_page_t* page);
/* Whether the block is in the magazine of its heap, which the caller owns. */
bool mi_magazine_holds(const mi_page_t* page, const mi_block_t* block);

mi_inline unsigned mi_magazine_class(size_t bin) {
  return (unsigned)bin - (mi_bin_of(MI_SMALL_SIZE_MAX) + 1);
}

mi_inline unsigned mi_magazine_bin(unsigned size_class) {
  return size_class + (unsigned)mi_bin_of(MI_SMALL_SIZE_MAX) + 1;
}

mi_inline size_t mi_magazine_block_size(unsigned size_class) {
  return mi_bin_block_size(mi_magazine_bin(size_class));
}

/* When the next sweep of watched magazines is due; 0: nothing is in them, or free memory is never
   purged. */
extern mi_hidden _Atomic(int64_t) mi_magazine_due;
/* A sweep is sure to come that sees a block which is put into a watched magazine now. */
extern mi_hidden _Atomic(bool) mi_magazine_announced;
/* Asks for a sweep. */
mi_noinline void mi_magazine_announce(void);
/* After a push. If the magazine is watched: asks for a sweep if none is sure to come, and tells the
   purger if it was not told of many blocks of the class. */
mi_noinline void mi_magazine_announce_and_tell(mi_magazine_t* magazine, unsigned size_class);

/* In hardened builds: reports a block, just popped, that was written to in the magazine. */
void mi_magazine_check(mi_block_t* block);

/* The block that a slot holds; NULL: none. */
mi_inline mi_block_t* mi_magazine_block(uintptr_t word) {
  return (mi_block_t*)(word & ~(uintptr_t)MI_MAGAZINE_SEEN);
}

/* How many slots of the class are in use. For others than the owner: those from there on may be
   just being emptied. */
mi_inline unsigned mi_magazine_in_use(const mi_magazine_t* magazine, unsigned size_class) {
  /* Acquire: pairs with the release of mi_magazine_put. */
  return atomic_load_explicit(&magazine->count[size_class], memory_order_acquire);
}

/* Takes the uppermost slot out of use; `in_use` are, at least one. */
mi_inline _Atomic(uintptr_t)*
mi_magazine_lower(mi_magazine_t* magazine, unsigned size_class, unsigned in_use) {
  unsigned top = in_use - 1;
  atomic_store_explicit(&magazine->count[size_class], (uint8_t)top, memory_order_relaxed);
  return &magazine->slots[size_class][top];
}

/* Empties a slot that was just taken out of use, and returns what was there. Other threads may look
   into the magazine, and an exchange waits until all that the program wrote before has got to the
   cache: where threads free each other's blocks of 1 to 16 KiB, a third of the time
   (bench/NOTES.md). So the owner goes on if nobody takes; who takes has all threads fenced, and
   then takes only what is in use (heap/magazine_fence.h). */
mi_inline uintptr_t mi_magazine_empty_slot(mi_magazine_t* magazine, _Atomic(uintptr_t)* slot) {
  atomic_signal_fence(memory_order_seq_cst); /* the processor may still change this order */
  /* Acquire, all three: if a sweep took the block, we see that it is still under way
     (mi_magazine_settle). */
  if (mi_unlikely(atomic_load_explicit(&magazine->takers, memory_order_acquire) != 0)) {
    return atomic_exchange_explicit(slot, 0, memory_order_acquire);
  }
  uintptr_t word = atomic_load_explicit(slot, memory_order_acquire);
  mi_race_window();
  atomic_store_explicit(slot, 0, memory_order_relaxed);
  return word;
}

/* Takes the block of the class that was freed last, or NULL. `in_use`: its slots in use. */
mi_inline mi_block_t*
mi_magazine_pop(mi_magazine_t* magazine, unsigned size_class, unsigned in_use) {
  while (in_use > 0) {
    _Atomic(uintptr_t)* slot = mi_magazine_lower(magazine, size_class, in_use);
    uintptr_t word = mi_magazine_empty_slot(magazine, slot);
    if (mi_likely(word != 0)) {
      mi_block_t* block = mi_magazine_block(word);
      if (MI_HARDENED) mi_magazine_check(block);
      return block;
    }
    in_use = mi_magazine_in_use(magazine, size_class);
  }
  return NULL;
}
/* Takes the uppermost slots of the class out of use while they are empty. */
mi_inline void mi_magazine_trim(mi_magazine_t* magazine, unsigned size_class) {
  const _Atomic(uintptr_t)* slots = magazine->slots[size_class];
  unsigned count;
  /* Acquire: as in mi_magazine_empty_slot. */
  while ((count = mi_magazine_in_use(magazine, size_class)) > 0 &&
         atomic_load_explicit(&slots[count - 1], memory_order_acquire) == 0) {
    (void)mi_magazine_lower(magazine, size_class, count);
  }
}

/* A free of a block of the page into the magazine. */
typedef struct mi_putting_s {
  mi_magazine_t* magazine;
  mi_page_t* page;
  unsigned size_class;
  unsigned in_use; /* slots of the class */
} mi_putting_t;

/* Puts a block into the magazine, where there is room for it. */
mi_inline void mi_magazine_put(const mi_putting_t* at, mi_block_t* block) {
  mi_magazine_t* magazine = at->magazine;
  if (MI_HARDENED) mi_block_set_next(at->page, block, NULL);
  /* Release: a sweep that takes it sees that our use of it is over. */
  atomic_store_explicit(&magazine->slots[at->size_class][at->in_use], (uintptr_t)block,
                        memory_order_release);
  /* Release: who finds the slot in use sees no block that was there before. */
  atomic_store_explicit(&magazine->count[at->size_class], (uint8_t)(at->in_use + 1),
                        memory_order_release);
}

/* How many blocks of the page are alive, without those on thread_free; more while these are being
   purged. */
mi_inline size_t mi_magazine_count_alive(const mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  return mi_page_used(page) - mi_tf_count(word);
}

/* How many blocks of the class there is room for. Never less than are in it; but of the slots in
   use, some may be empty. */
mi_inline unsigned mi_magazine_depth(const mi_magazine_t* magazine, unsigned size_class) {
  return atomic_load_explicit(&magazine->depth[size_class], memory_order_relaxed);
}

/* How a block of the page, which has to_magazine set, would be put into the magazine now. */
mi_inline mi_putting_t mi_magazine_putting(mi_magazine_t* magazine, mi_page_t* page) {
  unsigned size_class = mi_magazine_class(page->bin);
  return (mi_putting_t){magazine, page, size_class, mi_magazine_in_use(magazine, size_class)};
}

mi_inline bool mi_magazine_has_room(const mi_putting_t* at) {
  return at->in_use < mi_magazine_depth(at->magazine, at->size_class);
}

/* Whether the class may have the block. Not if that alone would keep the page in use, where no slot
   of the class is in use: few of its blocks come and go. Frees of others that are just being purged
   may hide that. */
mi_inline bool mi_magazine_wants(const mi_putting_t* at) {
  return mi_likely(at->in_use > 0) || mi_magazine_count_alive(at->page) > 1;
}

/* Whether that can be done without another look. */
mi_inline bool mi_magazine_takes(const mi_heap_t* heap, const mi_putting_t* at) {
  return mi_likely(!heap->visiting) && mi_likely(at->in_use > 0) && mi_magazine_has_room(at);
}

/* The purger knows of so many blocks of the class. It is told once there are 64 KiB more. */
mi_inline void
mi_magazine_tell_beyond(mi_magazine_t* magazine, unsigned size_class, unsigned known) {
  size_t size = mi_magazine_block_size(size_class);
  unsigned many = (unsigned)((MI_UNIT_SIZE + size - 1) / size);
  atomic_store_explicit(&magazine->tells_at[size_class], (uint8_t)(known + many),
                        memory_order_relaxed);
}

mi_inline unsigned mi_magazine_tells_at(const mi_magazine_t* magazine, unsigned size_class) {
  return atomic_load_explicit(&magazine->tells_at[size_class], memory_order_relaxed);
}

/* Frees a block into the magazine, which takes it (mi_magazine_takes). */
mi_inline void mi_magazine_push(const mi_putting_t* at, mi_block_t* block) {
  mi_magazine_put(at, block);
  /* The compiler keeps this order; for the processor, which may not, see sweep_and_announce
     (heap/magazine_sweep.c). */
  atomic_signal_fence(memory_order_seq_cst);
  bool announced = atomic_load_explicit(&mi_magazine_announced, memory_order_relaxed);
  if (mi_unlikely(!announced ||
                  at->in_use + 1 >= mi_magazine_tells_at(at->magazine, at->size_class))) {
    mi_magazine_announce_and_tell(at->magazine, at->size_class);
  }
}

/* Frees a block of a page with to_magazine. False, and the block is not freed, if it must go to its
   page. */
bool mi_magazine_free(mi_heap_t* heap, mi_page_t* page, mi_block_t* block);

#endif
