/* Another thread frees all blocks of a page but one, purges them with their links, and then frees one of them again, which
   makes the page look wholly free. It must not be purged. */
#include <pthread.h>

#include "crime.h"
#include "page/holes.h"
#include "page/scavenge.h"
#include "segment/segment.h"

enum { SIZE = 2048, MOST = 64 };

static void* blocks[MOST];
static size_t count;

static void* free_them(void* arg) {
  for (size_t i = 1; i < count; i++) mi_free(blocks[i]);
  mi_scavenge_all();
  mi_page_t* page = mi_page_of(blocks[0]);
  size_t hole = mi_ctz64(mi_page_holes(page));
  mi_free(page->start + hole * SIZE);
  return arg;
}

int main(void) {
  prepare();
  mi_heap_t* heap = mi_heap_new();
  mi_page_t* page = mi_page_of(blocks[count++] = mi_heap_malloc(heap, SIZE));
  while (mi_page_of(blocks[count] = mi_heap_malloc(heap, SIZE)) == page)
    CHECK_CMP(++count, <, MOST);
  pattern_fill(blocks[0], SIZE, 1);
  announce(page->start);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_them, NULL), 0);
  pthread_join(thread, NULL);
  mi_scavenge_all();
  CHECK(pattern_holds(blocks[0], SIZE, 1));
  mi_heap_collect(heap, true);
  return unharmed();
}
