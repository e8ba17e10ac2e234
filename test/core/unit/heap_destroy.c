/* Destroying a heap looks at no block: its cost grows with the pages. Blocks are made unreadable
   first, so that a look at one ends the process. */
#include <pthread.h>
#include <sys/mman.h>

#include "bits.h"
#include "check.h"
#include "memory.h"
#include "os/os.h"

enum { BLOCKS = 30000, PAGES_MOST = 3000 };

static void* blocks[BLOCKS];

typedef struct area_s {
  uint8_t* start;
  size_t size;
} area_t;
static area_t areas[PAGES_MOST];
static size_t area_count;

/* Whole system pages in which only blocks lie; of each page of blocks, what comes after the first
   `spare` bytes. */
static void note_area(const mi_page_t* page, size_t spare) {
  uintptr_t from = mi_align_up((uintptr_t)page->start + spare, mi_os_page_size());
  uintptr_t to =
      mi_align_down((uintptr_t)page->start + page->reserved * page->block_size, mi_os_page_size());
  if (from >= to) return;
  CHECK_CMP(area_count, <, PAGES_MOST);
  areas[area_count++] = (area_t){(uint8_t*)from, to - from};
}

static void protect_areas(int protection) {
  for (size_t i = 0; i < area_count; i++) {
    CHECK_EQ(mprotect(areas[i].start, areas[i].size, protection), 0);
  }
}

static void note_heap(mi_heap_t* heap, size_t spare) {
  area_count = 0;
  for (unsigned bin = 0; bin < MI_PAGE_QUEUES; bin++) {
    for (mi_page_t* page = heap->pages[bin].first; page != NULL; page = page->next) {
      note_area(page, spare);
    }
  }
}

static void
destroy_unreadable(size_t size, size_t count, void (*before)(size_t count), size_t spare) {
  mi_heap_t* heap = mi_heap_new();
  for (size_t i = 0; i < count; i++) CHECK((blocks[i] = mi_heap_malloc(heap, size)) != NULL);
  if (before != NULL) before(count);
  note_heap(heap, spare);
  CHECK_CMP(area_count, >=, 1);
  /* Before the addresses can be used again: no purge, no unmapping. */
  mi_option_set(mi_option_purge_delay, -1);
  protect_areas(PROT_NONE);
  mi_heap_destroy(heap);
  protect_areas(PROT_READ | PROT_WRITE);
  mi_option_set(mi_option_purge_delay, 0);
  heaps_check();
  mi_collect(true);
  memory_check();
}

static void* free_rest(void* arg) {
  for (size_t i = 0; i < *(size_t*)arg; i++) {
    if (i % 5 != 0) mi_free(blocks[i]);
  }
  return NULL;
}

/* Another thread frees most blocks: of each page first one in its first 4 KiB, which waits on the
   delayed list, and then many that wait on the page's. */
static void freed_by_other(size_t count) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_rest, &count), 0);
  pthread_join(thread, NULL);
}

/* The owner too has freed some. */
static void freed_by_owner(size_t count) {
  for (size_t i = 0; i < count; i += 3) mi_free(blocks[i]);
}

/* As many pages, a thousand times as many blocks: the same calls of the system, and no page
   counted twice. */
static void same_pages(void) {
  for (int large = 0; large < 2; large++) {
    mi_heap_t* heap = mi_heap_new();
    size_t size = large ? 30000 : 8;
    for (size_t i = 0; heap->page_count < 3; i++) CHECK(mi_heap_malloc(heap, size) != NULL);
    int64_t before = heap->tld->stats.pages.current;
    mi_heap_destroy(heap);
    CHECK_EQ(before - mi_heap_get_backing()->tld->stats.pages.current, 3);
  }
}

/* A heap that is deleted leaves its blocks to the thread, and not its empty pages. */
static void deleted_heaps(void) {
  mi_heap_t* backing = mi_heap_get_backing();
  int64_t before = backing->tld->stats.pages.current;
  for (int i = 0; i < 1000; i++) {
    mi_heap_t* heap = mi_heap_new();
    mi_free(mi_heap_malloc(heap, 100));
    mi_heap_delete(heap);
  }
  CHECK_CMP(backing->tld->stats.pages.current - before, <=, 10);
}

int main(void) {
  mi_free(mi_malloc(1));
  deleted_heaps();
  destroy_unreadable(16, BLOCKS, NULL, 0);
  destroy_unreadable(1000, 1000, NULL, 0);
  destroy_unreadable(30000, 50, NULL, 0);
  destroy_unreadable(16, BLOCKS, freed_by_owner, 0);
  destroy_unreadable(16, BLOCKS, freed_by_other, 4096);
  destroy_unreadable(1000, 1000, freed_by_other, 4096);
  same_pages();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
