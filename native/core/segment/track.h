/* Blocks of builds for valgrind and AddressSanitizer:

     block                         p
     | inside, size |  ...  | gap |  size bytes for the caller  | gap ... |
                                   ^ block + inside

   All but the caller's bytes is closed: touching it is reported. A free block is closed as a whole;
   page/block.h opens its link for a moment. */
#ifndef MI_TRACK_H
#define MI_TRACK_H

#include "bits.h"
#include "os/track.h"

/* Bytes before and after those of the caller. */
#define MI_TRACK_GAP 16

typedef struct mi_tracked_s {
  uint8_t* p;  /* what the caller got; NULL: the block is free */
  size_t size; /* what it asked for */
} mi_tracked_t;

#if MI_TRACK

/* `count` blocks from `first` on were laid out: they are free. */
void mi_track_lay_out(const mi_page_t* page, void* first, size_t count);

/* The caller gets the `size` bytes at `p` in the block. */
void mi_track_malloc(mi_block_t* block, void* p, size_t size, bool zero);

/* The caller gives `p` back. False, after a report, if it is not what it got, or was given back before. */
bool mi_track_free(mi_block_t* block, void* p);

mi_tracked_t mi_tracked_of(mi_block_t* block);
void mi_track_resize(mi_block_t* block, void* p, size_t newsize);

/* The page is given back: the blocks that still live in it die. Its memory is closed, until it is laid
   out again, holds a header, or is unmapped. */
void mi_track_end_page(const mi_page_t* page);

#else
#define mi_track_lay_out(page, first, count) ((void)0)
#define mi_track_free(block, p) true
#define mi_tracked_of(block) ((mi_tracked_t){NULL, 0})
#define mi_track_resize(block, p, newsize) ((void)0)
#define mi_track_end_page(page) ((void)0)
#endif

#endif
