/* Frees that are no plain push on local_free: by other threads, in full pages, in shared pages. */
#ifndef MI_DELAYED_H
#define MI_DELAYED_H

#include "types.h"

/* Frees a block of a page of this thread. */
void mi_page_free_block(mi_page_t* page, mi_block_t* block);
/* Like mi_page_free_block, but never into the heap's magazine. */
void mi_page_return_block(mi_page_t* page, mi_block_t* block);
/* Frees a block of a page that another thread owns, or that is abandoned. */
void mi_page_free_block_mt(mi_page_t* page, mi_block_t* block);
/* Like mi_page_free_block_mt, for an abandoned page that is not huge. True if it was most likely
   the last block. */
bool mi_page_free_block_unowned(mi_page_t* page, mi_block_t* block);

/* For a page that is full, or was until now, and in which several threads free, or whose heap
   shares such pages (mi_heap_shares). If its owner fell asleep, other threads could purge its
   memory only if all free blocks are on thread_free. So the owner's free blocks are moved to
   thread_free, and from now on the owner frees onto it as well, until malloc looks for blocks in
   the page. That costs 6 ns for each free of the owner; other threads pay as much. */
void mi_page_share(mi_page_t* page);
/* Shares a coarse page that need not be full, but is laid out whole, so that anyone may purge what
   is free in it, until malloc looks for blocks there. Does nothing to other pages, nor to one that
   is retired. */
void mi_page_offer(mi_page_t* page);

/* Whether other threads have told the heap of blocks that they freed in its full pages. For the
   heap's thread, like the functions below. */
bool mi_heap_has_delayed(mi_heap_t* heap);
/* Completes the frees that other threads have told of, but not of pages that another thread is at
   work on. */
void mi_heap_delayed_free(mi_heap_t* heap);
/* Forgets these frees, since the pages die with all their blocks. The heap is settled. */
void mi_heap_delayed_drop(mi_heap_t* heap);
/* Like mi_heap_delayed_free, but in a forked child: also completes frees that lost threads were
   about to tell of. */
void mi_heap_delayed_free_in_child(mi_heap_t* heap);

#endif
