/* Blocks of builds for valgrind and AddressSanitizer:

     block                         p
     | inside, size |  ...  | gap |  size bytes for the caller  | gap ... |
                                   ^ block + inside

   All but the caller's bytes is closed: touching it is reported. A free block is closed as a
   whole. */
#ifndef MI_TRACK_H
#define MI_TRACK_H

#include "bits.h"
#include "os/track.h"

/* Bytes before the caller's bytes, and after them. */
#define MI_TRACK_GAP 16

typedef struct mi_tracked_s {
  uint8_t* p;  /* what the caller got; NULL: the block is free */
  size_t size; /* what the caller asked for */
} mi_tracked_t;

#if MI_TRACK

/* Closes `count` blocks from `first` on, which were laid out: they are free. */
void mi_track_lay_out(const mi_page_t* page, void* first, size_t count);

/* Opens the `size` bytes at `p` in the block, which the caller gets. */
void mi_track_malloc(mi_block_t* block, void* p, size_t size, bool zero);

/* Closes the block of `p`, which the caller gives back. False, after a report, if p is not what the
   caller got, or was given back before. */
bool mi_track_free(mi_block_t* block, void* p);

/* The caller's part of the block, which other threads may be freeing. */
mi_tracked_t mi_tracked_of(mi_block_t* block);
/* Says that the caller's part of the block, at `p`, has `newsize` bytes from now on. */
void mi_track_resize(mi_block_t* block, void* p, size_t newsize);

/* Ends the blocks that still live in a page that is given back. Its memory is closed, until it is
   laid out again, holds a header, or is unmapped. */
void mi_track_end_page(const mi_page_t* page);

#else
#define mi_track_lay_out(page, first, count) ((void)0)
#define mi_track_free(block, p) true
#define mi_tracked_of(block) ((mi_tracked_t){NULL, 0})
#define mi_track_resize(block, p, newsize) ((void)0)
#define mi_track_end_page(page) ((void)0)
#endif

#endif
