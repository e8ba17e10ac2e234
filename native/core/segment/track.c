#include "segment/track.h"

#include <string.h>

/* The start of a block. In a free block the link takes the place of `inside`. */
typedef struct header_s {
  uintptr_t inside; /* from the block to what the caller got */
  uintptr_t size;   /* what the caller asked for, and 1; 0: the block is free */
} header_t;

_Static_assert(sizeof(header_t) <= MI_TRACK_GAP, "the header fits before the caller's bytes");

/* For any thread. */
static header_t header_of(mi_block_t* block) {
  header_t* at = (header_t*)block;
  header_t header;
  header.inside = mi_os_track_load(&at->inside);
  /* Acquire: pairs with the release in mi_track_free. If we read a link, we read size 0. */
  atomic_thread_fence(memory_order_acquire);
  header.size = mi_os_track_load(&at->size);
  return header;
}

static void set_size(mi_block_t* block, uintptr_t size) {
  mi_os_track_store(&((header_t*)block)->size, size);
}

void mi_track_lay_out(const mi_page_t* page, void* first, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint8_t* block = (uint8_t*)first + i * page->block_size;
    /* A block of the smallest class has room only for a link, and is never handed out. */
    if (page->block_size >= sizeof(header_t)) set_size((mi_block_t*)block, 0);
    mi_os_track_close(block, page->block_size);
  }
}

void mi_track_malloc(mi_block_t* block, void* p, size_t size, bool zero) {
  mi_os_track_store(&((header_t*)block)->inside, (uintptr_t)p - (uintptr_t)block);
  set_size(block, size + 1);
  if (zero) {
    mi_os_track_open(p, size);
    memset(p, 0, size);
  }
  mi_os_track_malloc(p, size, zero);
}

bool mi_track_free(mi_block_t* block, void* p) {
  header_t header = header_of(block);
  if (header.size == 0 || (uint8_t*)block + header.inside != (uint8_t*)p) {
    mi_os_track_free_bad(p);
    return false;
  }
  mi_os_track_free(p, header.size - 1);
  set_size(block, 0);
  atomic_thread_fence(memory_order_release); /* before the link */
  return true;
}

mi_tracked_t mi_tracked_of(mi_block_t* block) {
  header_t header = header_of(block);
  if (header.size == 0) return (mi_tracked_t){NULL, 0};
  return (mi_tracked_t){(uint8_t*)block + header.inside, header.size - 1};
}

void mi_track_resize(mi_block_t* block, void* p, size_t newsize) {
  header_t header = header_of(block);
  mi_os_track_resize(p, header.size - 1, newsize);
  set_size(block, newsize + 1);
}

void mi_track_end_page(const mi_page_t* page) {
  if (page->capacity == 0) return;
  uint8_t* end = page->start + page->capacity * page->block_size;
  for (uint8_t* at = page->start; at < end; at += page->block_size) {
    header_t header = header_of((mi_block_t*)at);
    if (header.size != 0) mi_os_track_free(at + header.inside, header.size - 1);
  }
  mi_os_track_close(page->start, (size_t)(end - page->start));
}
