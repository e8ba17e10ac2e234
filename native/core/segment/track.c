#include "segment/track.h"

#include <string.h>

/* The start of a block. In a free block the link takes the place of `inside`. */
typedef struct header_s {
  size_t inside; /* from the block to what the caller got */
  size_t size;   /* what the caller asked for, and 1; 0: the block is free */
} header_t;

_Static_assert(sizeof(header_t) <= MI_TRACK_GAP, "the header fits before the caller's bytes");

static header_t header_of(mi_block_t* block) {
  header_t header;
  mi_os_track_open(block, sizeof(header));
  memcpy(&header, block, sizeof(header));
  mi_os_track_close(block, sizeof(header));
  return header;
}

static void set_header(mi_block_t* block, header_t header) {
  mi_os_track_open(block, sizeof(header));
  memcpy(block, &header, sizeof(header));
  mi_os_track_close(block, sizeof(header));
}

void mi_track_lay_out(const mi_page_t* page, void* first, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint8_t* block = (uint8_t*)first + i * page->block_size;
    /* A block of the smallest class has room only for a link, and is never handed out. */
    if (page->block_size >= sizeof(header_t)) {
      mi_os_track_open(block + sizeof(size_t), sizeof(size_t));
      memset(block + sizeof(size_t), 0, sizeof(size_t));
    }
    mi_os_track_close(block, page->block_size);
  }
}

void mi_track_malloc(mi_block_t* block, void* p, size_t size, bool zero) {
  set_header(block, (header_t){(size_t)((uint8_t*)p - (uint8_t*)block), size + 1});
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
  set_header(block, (header_t){0, 0});
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
  header.size = newsize + 1;
  set_header(block, header);
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
