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

void mi_magazine_end_slow(mi_heap_t* heap);
/* The heap, which has let go of its pages, gives up its magazine. */
mi_inline void mi_magazine_end(mi_heap_t* heap) {
  if (heap->magazine != NULL) mi_magazine_end_slow(heap);
}

/* The heap's stack for blocks of a bin above that of MI_SMALL_SIZE_MAX and below MI_BIN_LARGE.
   NULL: the heap has no magazine. */
mi_inline mi_magazine_stack_t* mi_magazine_stack(const mi_heap_t* heap, size_t bin) {
  return heap->stacks[bin - (mi_bin_of(MI_SMALL_SIZE_MAX) + 1)];
}

/* Decides whether the owner's frees in a page of the heap go to the magazine, or are plain pushes.
   To be called when the page is new, or full, or when the heap gets a magazine. */
mi_inline void mi_magazine_set_freer(const mi_heap_t* heap, mi_page_t* page) {
  bool fits = page->block_size > MI_SMALL_SIZE_MAX && page->reserved > 1;
  page->stack = fits ? mi_magazine_stack(heap, page->bin) : NULL;
  mi_page_set_freer(page);
}

/* For a page that was in use before the heap got it. Its blocks may go to the magazine if all that
   is free in it can be had by others, or else once it is full. If the owner freed the last living
   one into the magazine, and fell asleep, a sweep would put that block where others find it, but
   nobody would get at the rest of the page. */
void mi_magazine_take_page(mi_heap_t* heap, mi_page_t* page);

/* Gives the block of the stack that was freed last back to its page. False if there is none. */
bool mi_magazine_return_one(mi_magazine_t* magazine, mi_magazine_stack_t* stack);
/* mi_magazine_return_one, for a malloc of this bin, which finds the block then. */
bool mi_magazine_give_back(mi_heap_t* heap, unsigned bin);

/* Gives a block that was just taken out of this thread's magazine back to its page. */
void mi_magazine_return(mi_block_t* block);

/* How many blocks of the page, which has a stack, are in the magazine. */
size_t mi_magazine_count(const mi_page_t* page);
/* Whether the block is in the magazine of its heap, which the caller owns. */
bool mi_magazine_holds(const mi_page_t* page, const mi_block_t* block);

/* When the next sweep of watched magazines is due; 0: nothing is in them, or free memory is never
   purged. */
extern mi_hidden _Atomic(int64_t) mi_magazine_due;
/* A sweep is sure to come that sees a block which is put into a watched magazine now. */
extern mi_hidden _Atomic(bool) mi_magazine_announced;
/* Asks for a sweep. */
mi_noinline void mi_magazine_announce(void);
/* After a push of a block of the page. If the magazine is watched: asks for a sweep if none is sure
   to come, and tells the purger if it was not told of many blocks of the class. */
mi_noinline void mi_magazine_announce_and_tell(const mi_page_t* page);

/* In hardened builds: reports a block, just popped, that was written to in the magazine. */
void mi_magazine_check(mi_block_t* block);

/* The block that a slot holds; NULL: none. */
mi_inline mi_block_t* mi_magazine_block(uintptr_t word) {
  return (mi_block_t*)(word & ~(uintptr_t)MI_MAGAZINE_SEEN);
}

/* How many slots are in use. For others than the owner: those from there on may be just being
   emptied. */
mi_inline size_t mi_magazine_in_use(const mi_magazine_stack_t* stack) {
  /* Acquire: pairs with the release of mi_magazine_put. */
  return atomic_load_explicit(&stack->count, memory_order_acquire);
}

/* Takes the uppermost slot out of use; `in_use` are, at least one. */
mi_inline _Atomic(uintptr_t)* mi_magazine_lower(mi_magazine_stack_t* stack, size_t in_use) {
  size_t top = in_use - 1;
  atomic_store_explicit(&stack->count, (uint8_t)top, memory_order_relaxed);
  return &stack->slots[top];
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

/* Takes the block in the uppermost slot, or NULL: another thread took it. `in_use`: the stack's
   slots in use, at least one. */
mi_inline mi_block_t*
mi_magazine_pop_top(mi_magazine_t* magazine, mi_magazine_stack_t* stack, size_t in_use) {
  _Atomic(uintptr_t)* slot = mi_magazine_lower(stack, in_use);
  mi_block_t* block = mi_magazine_block(mi_magazine_empty_slot(magazine, slot));
  if (MI_HARDENED && block != NULL) mi_magazine_check(block);
  return block;
}
/* Takes the block of the stack that was freed last; NULL if there is none. */
mi_block_t* mi_magazine_pop(mi_magazine_t* magazine, mi_magazine_stack_t* stack);

/* Takes the uppermost slots out of use while they are empty. */
mi_inline void mi_magazine_trim(mi_magazine_stack_t* stack) {
  size_t in_use;
  /* Acquire: as in mi_magazine_empty_slot. */
  while ((in_use = mi_magazine_in_use(stack)) > 0 &&
         atomic_load_explicit(&stack->slots[in_use - 1], memory_order_acquire) == 0) {
    (void)mi_magazine_lower(stack, in_use);
  }
}

/* Puts a block into the stack of its page, where there is room for it. `in_use`: the slots in
   use. */
mi_inline void mi_magazine_put(mi_magazine_stack_t* stack, size_t in_use, const mi_page_t* page,
                               mi_block_t* block) {
  if (MI_HARDENED) mi_block_set_next(page, block, NULL);
  /* Release: a sweep that takes it sees that our use of it is over. */
  atomic_store_explicit(&stack->slots[in_use], (uintptr_t)block, memory_order_release);
  /* Release: who finds the slot in use sees no block that was there before. */
  atomic_store_explicit(&stack->count, (uint8_t)(in_use + 1), memory_order_release);
}

/* How many blocks of the page are alive, without those on thread_free; more while these are being
   purged. */
mi_inline size_t mi_magazine_count_alive(const mi_page_t* page) {
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_relaxed);
  return mi_page_used(page) - mi_tf_count(word);
}

/* How many blocks there is room for. Never less than are in it; but of the slots in use, some may
   be empty. */
mi_inline size_t mi_magazine_depth(const mi_magazine_stack_t* stack) {
  return atomic_load_explicit(&stack->depth, memory_order_relaxed);
}

mi_inline bool mi_magazine_has_room(const mi_magazine_stack_t* stack, size_t in_use) {
  return in_use < mi_magazine_depth(stack);
}

/* Whether the stack of the page may have a block of it. Not if that alone would keep the page in
   use, where no slot is in use: few blocks of the class come and go. Frees of others that are just
   being purged may hide that. */
mi_inline bool mi_magazine_wants(const mi_page_t* page, size_t in_use) {
  return mi_likely(in_use > 0) || mi_magazine_count_alive(page) > 1;
}

/* Whether the stack takes any block without another look. Never while the heap is visited: no slot
   is in use then. */
mi_inline bool mi_magazine_takes(const mi_magazine_stack_t* stack, size_t in_use) {
  return mi_likely(in_use > 0) && mi_magazine_has_room(stack, in_use);
}

/* The purger knows of so many blocks of the stack. It is told once there are 64 KiB more. */
mi_inline void mi_magazine_tell_beyond(mi_magazine_stack_t* stack, size_t known) {
  size_t many = (MI_UNIT_SIZE + stack->block_size - 1) / stack->block_size;
  atomic_store_explicit(&stack->tells_at, (uint8_t)(known + many), memory_order_relaxed);
}

mi_inline size_t mi_magazine_tells_at(const mi_magazine_stack_t* stack) {
  return atomic_load_explicit(&stack->tells_at, memory_order_relaxed);
}

/* Frees a block into the stack of its page, which takes it (mi_magazine_takes). */
mi_inline void mi_magazine_push(mi_magazine_stack_t* stack, size_t in_use, const mi_page_t* page,
                                mi_block_t* block) {
  mi_magazine_put(stack, in_use, page, block);
  /* The compiler keeps this order; for the processor, which may not, see sweep_and_announce
     (heap/magazine_sweep.c). */
  atomic_signal_fence(memory_order_seq_cst);
  bool announced = atomic_load_explicit(&mi_magazine_announced, memory_order_relaxed);
  if (mi_unlikely(!announced || in_use + 1 >= mi_magazine_tells_at(stack))) {
    mi_magazine_announce_and_tell(page);
  }
}

/* Frees a block of a page with a stack. False, and the block is not freed, if it must go to its
   page. */
bool mi_magazine_free(mi_heap_t* heap, mi_page_t* page, mi_block_t* block);

#endif
