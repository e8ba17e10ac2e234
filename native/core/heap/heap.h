/* A thread's heaps: queues of pages by size class, and the slow path of malloc. Everything here
   is for the thread that owns the heap, unless said otherwise. */
#ifndef MI_HEAP_H
#define MI_HEAP_H

#include "os/rare.h"
#include "page/page.h"
#include "segment/huge.h"
#include "segment/subproc.h"

/* ---- The calling thread's heap (thread.c) ---- */

/* What mi_malloc uses. Points to mi_heap_empty, which has nothing to pop and must not be
   written, until the thread's first slow path. */
extern mi_hidden _Thread_local mi_heap_t* mi_heap_default;
extern mi_hidden const mi_heap_t mi_heap_empty;

mi_inline bool mi_heap_is_initialized(const mi_heap_t* heap) { return heap != &mi_heap_empty; }

/* How many calls of malloc's slow path the thread is in, since callbacks allocate too. An unwatched thread keeps its
   heap until the outermost one is done; if that never returns, for good. */
extern mi_hidden _Thread_local unsigned mi_thread_calls;

/* The thread's default heap, made if there is none. NULL and ENOMEM if it cannot be made. */
mi_heap_t* mi_heap_get(void);

/* Ends all heaps of the thread: what lives in them is abandoned. */
void mi_thread_detach(void);

/* The same for a thread that is inside of no function of ours, and will never be again. */
void mi_thread_detach_other(mi_tld_t* tld);

/* Unmaps what is kept for new threads. */
void mi_thread_cache_unmap(void);

/* The library that we are part of is being unloaded: gives all memory back but for blocks that are
   alive. Nothing may be called afterwards. */
void mi_process_unload(void);

/* The exit handler of every thread that has a heap. */
void mi_thread_at_exit(void);

/* True in the last exit handlers of a thread, and where the system could not give us one: we are
   not told when this thread is gone. What it allocates is abandoned at once, and it has no heap
   between two calls. */
bool mi_thread_is_unwatched(void);

/* mi_thread_stats_merge, if the thread has counted anything. */
void mi_thread_merge_stats(void);

/* What the end of the process does to heaps, and says of them; once. */
void mi_process_finish(void);

/* Prepares the process. Done by the first thread that allocates; others wait for it. */
void mi_process_attach(void);

/* ---- Heaps (heap.c) ---- */

/* Makes `heap` an empty heap of the thread with this tld. */
void mi_heap_init(mi_heap_t* heap, mi_tld_t* tld, uint8_t tag, bool allow_destroy);

/* Whether the pointer, which may be anything, is a heap of this thread. Looks at addresses only. */
bool mi_heap_is_mine(const mi_heap_t* heap);

/* The heap of this thread that takes the pages which others had under this tag: one with the same
   tag that may not be destroyed, or else the backing heap. */
mi_heap_t* mi_heap_for_tag(mi_tld_t* tld, uint8_t tag);

/* Takes over a page that has been settled, and is in no queue. One of one block may be gone afterwards, if that has
   come back. */
void mi_heap_take_page(mi_heap_t* heap, mi_page_t* page);

/* Brings every page to NORMAL and out of the full queue (but those of one block), and completes the delayed
   frees: from now on no other thread can reach the heap through a page, until a page is FULL again.
   Waits for threads that notify. */
void mi_heap_settle(mi_heap_t* heap);

/* Moves all pages of `heap` to `target`, another heap of the thread. They keep their tags. */
void mi_heap_absorb(mi_heap_t* target, mi_heap_t* heap);

/* Gives the heap another tag, and all of its pages. */
void mi_heap_retag(mi_heap_t* heap, uint8_t tag);

/* Frees the memory of a heap that has no pages any more; it came from the thread's backing heap. */
void mi_heap_free_memory(mi_heap_t* heap);

/* Frees all pages of the heap, with whatever lives in them; lets go of those that it adopted. Looks
   at no block but those on the delayed list, of which there is one a page at most. */
void mi_heap_free_pages(mi_heap_t* heap);

/* Has a new heap take all its memory from the arena. When it ends, its pages are abandoned, as nobody
   else may allocate there. */
void mi_heap_restrict(mi_heap_t* heap, mi_arena_t* arena);
mi_inline bool mi_heap_is_restricted(const mi_heap_t* heap) {
  return heap->segments == &heap->own_segments;
}

/* Calls fn for every page in the queues below `bins` (MI_BIN_FULL: not the full ones;
   MI_BIN_COUNT: all); fn may free the page or move it elsewhere. */
typedef void mi_page_fun(mi_heap_t* heap, mi_page_t* page, void* arg);
void mi_heap_for_each_page(mi_heap_t* heap, unsigned bins, mi_page_fun* fn, void* arg);

/* Checks every page, queue and table of the heap. */
bool mi_heap_is_valid(mi_heap_t* heap);

/* ---- Guarded blocks, in builds with MI_GUARDED (sample.c) ---- */

/* From now on one in `rate` blocks of the heap, if its size is in the bounds; 0: none. The first one
   is the (seed % rate + 1)-th; seed 0: one that nobody knows. */
void mi_heap_sample(mi_heap_t* heap, size_t rate, size_t seed);
void mi_heap_sample_sizes(mi_heap_t* heap, size_t min, size_t max);
void mi_heap_sample_as_options_say(mi_heap_t* heap);
/* Counts an allocation. True if its block is to be guarded. */
bool mi_heap_sample_next(mi_heap_t* heap, size_t size);

/* ---- The slow path (generic.c, find.c) ---- */

/* By pointer everywhere: gcc copies two fields at a time, and such a load of what was just stored field by field
   waits until the program's last writes are in the cache. */
typedef struct mi_request_s {
  size_t size;
  size_t align;  /* only for huge blocks; 1: none */
  size_t offset; /* address + offset is to be aligned */
  size_t spare;  /* bytes of `size` that are done without where memory is short */
} mi_request_t;

/* A page from which a block for the request can be popped, or, if it is one of one block, taken next. Runs the
   heartbeat. NULL and ENOMEM.
   The heap may be mi_heap_empty; it is then made first, and *heap changes. */
mi_page_t* mi_heap_page_for(mi_heap_t** heap, const mi_request_t* request);

/* Whether so many blocks may be had without a heartbeat, which is certain because they end. The heap is
   not mi_heap_empty. */
mi_inline bool mi_heap_spend(mi_heap_t* heap, int blocks) {
  heap->quick_blocks -= blocks;
  return mi_likely(heap->quick_blocks >= 0) && !mi_rare(mi_rare_collect);
}

/* A page with free blocks of the bin's size, or of a larger one if the bin is hardly used; found or made.
   NULL if there is no memory. */
mi_page_t* mi_heap_find_page(mi_heap_t* heap, unsigned bin);
/* Where there is none: a page of any larger class that has a free block. NULL if there is none of these either. */
mi_page_t* mi_heap_borrow_any(mi_heap_t* heap, unsigned bin);
/* Bins without pages may borrow again. Once in each round of mi_heap_age_retired. */
void mi_heap_forget_loans(mi_heap_t* heap);

/* A page of one huge block, in the full queue. */
mi_page_t* mi_heap_huge_page(mi_heap_t* heap, const mi_request_t* request);

/* ---- Pages of a heap (queue.c, retire.c) ---- */

/* Puts a page into the queue of its bin, at the front or at the back, and takes it out. */
void mi_heap_add_page(mi_heap_t* heap, mi_page_t* page, bool front);
void mi_heap_remove_page(mi_heap_t* heap, mi_page_t* page);

/* Moves an exhausted page to the full queue. False if there is something to pop after all, or if
   a thread is just notifying us: then the page stays. */
bool mi_page_to_full(mi_heap_t* heap, mi_page_t* page);
/* The owner freed so many blocks of a page, which is not shared, that it looks how many are alive, without those that
   other threads freed: they are not to stay there if it sleeps from now on. It looks again when half of the rest is
   free, by way of `used`, which becomes 0 then. Of the last few, others may free the last one: for that the page is
   shared, if nothing in it is ready for malloc. Returns whether it is empty. */
bool mi_page_watch(mi_heap_t* heap, mi_page_t* page);

/* Other threads have told of blocks that they freed in this heap. */
void mi_heap_others_free(mi_heap_t* heap);
/* Whether pages of such blocks are shared whenever they are full. */
bool mi_heap_shares(const mi_heap_t* heap, const mi_page_t* page);
/* Moves a page of the full queue, whose state is not FULL any more, back to that of its bin. */
void mi_page_leave_full(mi_heap_t* heap, mi_page_t* page);

/* Several threads free in this page, which is full, or was until now. If its owner fell asleep, others could
   purge its memory only if all that is free is on thread_free. So the owner frees there as well, and all
   it freed so far goes there, until malloc looks for blocks here (6 ns for each free of the
   owner, where others pay the same). */
void mi_page_share(mi_page_t* page);
/* `used` has become 0. A full page, of which enough blocks came back, takes its place among the others. Of
   empty pages, keeps one of each class a while, at the back of its queue, as long as they are not too
   big together; gives the others back. */
void mi_page_retire(mi_page_t* page);
/* Gives an empty page back. While the heap is being visited it stays, in its queue. */
void mi_heap_free_page(mi_heap_t* heap, mi_page_t* page);
/* The page is an ordinary one again. */
void mi_heap_unretire(mi_heap_t* heap, mi_page_t* page);
/* Every retired page is the last of its queue, within the bounds, and counted. */
bool mi_heap_retired_is_valid(const mi_heap_t* heap);
/* In a forked child: only `heap` and those after it in its thread have retired pages. */
void mi_retired_forked(const mi_heap_t* heap);
/* Ages retired pages; with `force`, gives them back now. */
void mi_heap_collect_retired(mi_heap_t* heap, bool force);
/* The former, now and then. Once in each slow path. */
void mi_heap_age_retired(mi_heap_t* heap);
/* Gives back the retired page that would be the next to go, but not the last one of a segment. Returns its segment;
   NULL if there is none. */
mi_segment_t* mi_heap_give_up_retired(mi_heap_t* heap);

/* ---- Frees (delayed.c) ---- */

/* Frees a block of a page of this thread. */
void mi_page_free_block(mi_page_t* page, mi_block_t* block);
/* The same, but not into the heap's magazine. */
void mi_page_return_block(mi_page_t* page, mi_block_t* block);
/* Frees a block of a page that another thread owns, or none. */
void mi_page_free_block_mt(mi_page_t* page, mi_block_t* block);
/* The same for an abandoned page that is not huge. True if it was most likely the last one. */
bool mi_page_free_block_unowned(mi_page_t* page, mi_block_t* block);
/* Other threads have told of blocks that they freed in full pages. */
bool mi_heap_has_delayed(mi_heap_t* heap);
/* Completes the frees in full pages of which other threads told, but for those that are just being
   told of. */
void mi_heap_delayed_free(mi_heap_t* heap);
/* Forgets these frees, since the pages die with all their blocks. The heap is settled. */
void mi_heap_delayed_drop(mi_heap_t* heap);
/* The same in a forked child, where nobody will ever finish what other threads were doing. */
void mi_heap_delayed_free_in_child(mi_heap_t* heap);

/* ---- Collecting, reclaiming (collect.c, reclaim.c) ---- */

/* What is found of misuse is delivered by the public function that began it, when that is done with its heaps: the
   program's error function may delete them. */
void mi_heap_collect_pages(mi_heap_t* heap, bool force);
/* The same for all heaps of a thread. */
void mi_heaps_collect_pages(mi_tld_t* tld, bool force);
/* Completes every free that other threads have made in this heap. */
void mi_heap_collect_frees(mi_heap_t* heap);
/* Gives back to the system what is due, or all that nobody uses. Any thread. The first one returns when
   more is due; 0: never. */
int64_t mi_process_purge_due(void);
void mi_process_purge_all(void);
/* Calls the user's deferred-free callback, which may end any heap but this one. */
void mi_deferred_free(mi_heap_t* heap, bool force);

/* Lets go of all pages that have live blocks. The heap is empty afterwards. */
void mi_heap_abandon(mi_heap_t* heap);
/* Adopts some abandoned segments. Returns a page of `bin` with free blocks if one was among
   them. */
mi_page_t* mi_heap_reclaim(mi_heap_t* heap, unsigned bin);
/* Adopts all abandoned segments; of those in exclusive arenas, only frees what is free. */
void mi_heap_reclaim_all(mi_heap_t* heap);
/* For a heap that is restricted to an arena which is full: frees what is free in abandoned segments
   there. With `adopt`, also takes their pages into the heap. */
void mi_heap_reclaim_arena(mi_heap_t* heap, bool adopt);
/* Adopts the abandoned segment of a page in which the caller holds a live block. False if somebody else did, or
   the thread has such a page to spare: then those who need one shall find it. */
bool mi_heap_reclaim_segment_of(mi_heap_t* heap, const mi_page_t* page);
/* Frees the page with that index in the segment of that slot, if it is empty and the segment abandoned. The
   thread may have no heap. */
void mi_heap_free_abandoned_page(mi_slot_ref_t ref, unsigned index);
/* The same for those of these pages, of a segment that this sub-process abandoned. The one that the caller knew may be
   gone, and another in its place. */
void mi_heap_free_abandoned_pages(mi_subproc_t* subproc, mi_slot_ref_t ref, uint64_t pages);
/* The same for all whose last block came back while somebody held the segment. */
void mi_heap_free_missed(mi_subproc_t* subproc, mi_slot_ref_t ref);
/* In a forked child: all whose last block a thread freed that is not there. */
mi_cold void mi_heap_free_come_back(void);
/* As mi_abandoned_hand_over. */
void mi_heap_hand_over(mi_subproc_t* subproc);

#endif
