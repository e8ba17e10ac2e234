/* A crime that makes a page look wholly free, though one block of it is alive: it must not be purged. */
#ifndef MI_TEST_LOOKS_WHOLE_H
#define MI_TEST_LOOKS_WHOLE_H

#include <pthread.h>

#include "crime.h"
#include "page/holes.h"
#include "page/scavenge.h"
#include "segment/segment.h"

enum { MOST = 128 };

static void* blocks[MOST];
static size_t count;

/* Frees one of the blocks of the page, all of which but the first one are free, once more. */
typedef void again_fun(mi_page_t* page);

static again_fun* free_again;

static void* free_them(void* page) {
  for (size_t i = 1; i < count; i++) mi_free(blocks[i]);
  free_again(page);
  return NULL;
}

/* Another thread frees all blocks of a page but one, and then one of them again. */
static inline int make_page_look_whole(size_t size, again_fun* again) {
  prepare();
  mi_heap_t* heap = mi_heap_new();
  mi_page_t* page = mi_page_of(blocks[count++] = mi_heap_malloc(heap, size));
  while (mi_page_of(blocks[count] = mi_heap_malloc(heap, size)) == page)
    CHECK_CMP(++count, <, MOST);
  pattern_fill(blocks[0], size, 1);
  announce(page->start);
  free_again = again;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_them, page), 0);
  pthread_join(thread, NULL);
  mi_scavenge_all();
  CHECK(pattern_holds(blocks[0], size, 1));
  mi_heap_collect(heap, true);
  return unharmed();
}

#endif
