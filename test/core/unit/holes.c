/* Other threads free runs of neighbours in a page, and purge them with their links. */
#include "page/holes.h"

#include <pthread.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "page/scavenge.h"
#include "resident.h"

enum { MOST = 64 };

static uint8_t* blocks[MOST]; /* in the order of their addresses; NULL: freed */
static size_t count, size, pages;
static mi_heap_t* heap;
static mi_page_t* page;

/* Fills a page of blocks of that size. */
static void begin(size_t block_size) {
  size = block_size;
  heap = mi_heap_new();
  do { /* the first ones may be borrowed from a larger class */
    blocks[0] = mi_heap_malloc(heap, size);
    page = mi_page_of(blocks[0]);
  } while (page->block_size != size);
  count = page->reserved;
  CHECK_CMP(count, <=, MOST);
  for (size_t i = 0; i < count; i++) {
    if (i > 0) blocks[i] = mi_heap_malloc(heap, size);
    CHECK_PTR(blocks[i], ==, page->start + i * size);
    memset(blocks[i], (int)i + 1, size);
  }
  pages = heap->page_count;
}

static void* free_and_purge(void* range) {
  for (size_t i = ((size_t*)range)[0]; i < ((size_t*)range)[1]; i++) {
    mi_free(blocks[i]);
    blocks[i] = NULL;
  }
  mi_scavenge_all();
  return NULL;
}

static void free_in_other_thread(size_t from, size_t to) {
  pthread_t thread;
  size_t range[] = {from, to};
  CHECK_EQ(pthread_create(&thread, NULL, free_and_purge, range), 0);
  pthread_join(thread, NULL);
}

static bool count_block(const mi_heap_t* visited, const mi_heap_area_t* area, void* block,
                        size_t block_size, void* arg) {
  (void)visited;
  (void)area;
  (void)block_size;
  if (block != NULL && mi_page_of(block) == page) ++*(size_t*)arg;
  return true;
}

/* What is alive is whole, and a visit shows nothing else. */
static void check_alive(size_t alive) {
  size_t found = 0, shown = 0;
  for (size_t i = 0; i < count; i++) {
    if (blocks[i] == NULL) continue;
    found++;
    CHECK_EQ(blocks[i][0], i + 1);
    CHECK_EQ(blocks[i][size - 1], i + 1);
  }
  CHECK_EQ(found, alive);
  CHECK(mi_heap_visit_blocks(heap, true, count_block, &shown));
  CHECK_EQ(shown, alive);
  heaps_check();
}

/* Allocates what was freed: the same blocks again. */
static void get_back(void) {
  size_t lost = 0;
  for (size_t i = 0; i < count; i++) lost += blocks[i] == NULL;
  while (lost > 0) {
    uint8_t* p = mi_heap_malloc(heap, size);
    if (mi_page_of(p) != page) continue; /* another page had room */
    lost--;
    size_t i = (size_t)(p - page->start) / size;
    CHECK_CMP(i, <, count);
    CHECK_PTR(blocks[i], ==, NULL);
    blocks[i] = p;
    memset(p, (int)i + 1, size);
  }
  CHECK_EQ(heap->page_count, pages);
  CHECK_EQ(mi_page_holes(page), 0);
  check_alive(count);
}

static void run(size_t block_size) {
  begin(block_size);
  size_t first = count / 8, last = count / 2;
  free_in_other_thread(first, last);
  size_t holes = mi_page_hole_count(page);
  CHECK_CMP(holes, >, 0);
  CHECK_CMP(holes, <, last - first); /* one block stays on the list */
  CHECK_EQ(mi_page_thread_free_count(page), last - first);
  uint8_t* from = page->start + first * size;
  /* The link of that one, and the pages at both ends, which other blocks share. */
  CHECK_CMP(resident_in(from, (last - first) * size), <=, 3 * mi_os_page_size());
  for (size_t i = first; i < last; i++)
    CHECK(mi_page_block_is_free(page, (mi_block_t*)(page->start + i * size)));
  CHECK(!mi_page_block_is_free(page, (mi_block_t*)blocks[0]));

  /* More of them beside the first ones. A visit takes what was freed to the owner. */
  free_in_other_thread(last, count - 1);
  CHECK_CMP(mi_page_hole_count(page), >, holes);
  check_alive(count - (count - 1 - first));
  get_back();

  /* One more block than fit: the page is full, and shared, since others free in this heap. A visit
     leaves it as it is. */
  mi_heap_malloc(heap, size);
  pages = heap->page_count;
  CHECK(mi_page_is_shared(page));
  free_in_other_thread(first, last);
  uint64_t before = mi_page_holes(page);
  CHECK_CMP(before, !=, 0);
  check_alive(count - (last - first));
  CHECK_EQ(mi_page_holes(page), before);

  /* A list that has all its blocks has no holes: those of the page belong to another one. */
  mi_block_t* other = (mi_block_t*)blocks[0];
  uintptr_t kept = other->next;
  mi_block_set_next(page, other, NULL);
  CHECK_PTR(mi_page_fill_holes(page, other, 1), ==, other);
  CHECK_EQ(mi_page_holes(page), before);
  other->next = kept;
  get_back();

  /* All blocks but one are freed, then the last one: the page is purged as a whole. */
  free_in_other_thread(1, count);
  free_in_other_thread(0, 1);
  CHECK_EQ(mi_page_holes(page), 0);
  CHECK_CMP(resident_in(page->start, count * size), <=, 2 * mi_os_page_size());
  for (size_t i = 0; i < count; i++) mi_free(mi_heap_malloc(heap, size));
  heaps_check();

  mi_heap_destroy(heap);
  memory_check();
}

/* What its thread freed is on local_free, or on `free`; what others freed are holes. malloc gets each of them once. */
static void beside_own_frees(size_t block_size, bool some_on_free, bool collect) {
  begin(block_size);
  size_t quarter = count / 4;
  if (some_on_free) {
    for (size_t i = 0; i < quarter; i++) {
      mi_free(blocks[i]);
      blocks[i] = NULL;
    }
    collect_page(page);
    CHECK(page->free != NULL);
  }
  for (size_t i = quarter; i < 2 * quarter; i++) {
    mi_free(blocks[i]);
    blocks[i] = NULL;
  }
  CHECK(page->local_free != NULL);
  free_in_other_thread(2 * quarter, count);
  CHECK_CMP(mi_page_hole_count(page), >, 0);
  heaps_check();
  if (collect) mi_heap_collect(heap, some_on_free);
  get_back();
  mi_heap_destroy(heap);
  memory_check();
}

/* Not all of the page is laid out. */
static void before_it_is_full(size_t block_size) {
  begin(block_size);
  for (size_t i = 0; i < count; i++) {
    mi_free(blocks[i]);
    blocks[i] = NULL;
  }
  mi_heap_collect(heap, true);
  do {
    blocks[0] = mi_heap_malloc(heap, size);
    page = mi_page_of(blocks[0]);
  } while (page->block_size != size);
  count = page->reserved;
  pages = heap->page_count;
  memset(blocks[0], 1, size);
  size_t some = count - 2;
  for (size_t i = 1; i < some; i++) {
    blocks[i] = mi_heap_malloc(heap, size);
    memset(blocks[i], (int)i + 1, size);
  }
  CHECK_CMP(page->capacity, <, page->reserved);
  free_in_other_thread(1, some - 1);
  CHECK_CMP(mi_page_hole_count(page), >, 0);
  get_back(); /* with those that were not laid out yet */
  mi_heap_destroy(heap);
  memory_check();
}

/* A block that the program knows by an address inside of it. */
static void inside_of_a_block(size_t block_size) {
  begin(block_size);
  mi_free(blocks[2]);
  blocks[2] = mi_heap_malloc_aligned_at(heap, size - 64, 64, 24);
  CHECK_PTR(mi_page_of(blocks[2]), ==, page);
  CHECK_EQ(((uintptr_t)blocks[2] + 24) % 64, 0);
  memset(blocks[2], 3, size - 64);
  free_in_other_thread(1, count / 2);
  CHECK_CMP(mi_page_hole_count(page), >, 0);
  check_alive(count - (count / 2 - 1));
  get_back();
  mi_heap_destroy(heap);
  memory_check();
}

/* A list that the program has broken, as by freeing a block twice, is not looked at for ever. */
static void broken_list(size_t block_size) {
  begin(block_size);
  free_in_other_thread(1, 4);
  mi_block_t* last = mi_tf_list(atomic_load(&page->thread_free));
  uintptr_t kept = last->next;
  mi_block_set_next(page, last, last);
  free_in_other_thread(5, 6);
  CHECK(!mi_scavenge_is_marked(mi_segment_slot(mi_segment_of(page))));
  last->next = kept;
  get_back();
  mi_heap_destroy(heap);
  memory_check();
}

/* Its heap ends: the page goes to the thread's other heap, holes and all, or ends. */
static void its_heap_ends(size_t block_size, bool destroy) {
  begin(block_size);
  mi_heap_malloc(heap, size);
  free_in_other_thread(count / 8, count / 2);
  CHECK_CMP(mi_page_hole_count(page), >, 0);
  if (destroy) {
    mi_heap_destroy(heap);
  } else {
    mi_heap_delete(heap);
    heap = mi_heap_get_backing();
    pages = heap->page_count;
    get_back();
    mi_collect(true);
    for (size_t i = 0; i < count; i++) mi_free(blocks[i]);
  }
  heaps_check();
  memory_check();
}

int main(void) {
  mi_os_forbid_large_pages();
  mi_option_set(mi_option_purge_delay, 3600000);
  run(2048);
  run(5120);
  run(MI_SMALL_BLOCK_MAX);
  run(MI_MEDIUM_BLOCK_MAX);
  static const size_t sizes[] = {2048, 5120, MI_SMALL_BLOCK_MAX, 20480};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
    for (int way = 0; way < 4; way++) beside_own_frees(sizes[i], (way & 1) != 0, (way & 2) != 0);
    before_it_is_full(sizes[i]);
    inside_of_a_block(sizes[i]);
    broken_list(sizes[i]);
    its_heap_ends(sizes[i], true);
    its_heap_ends(sizes[i], false);
  }
  return 0;
}
