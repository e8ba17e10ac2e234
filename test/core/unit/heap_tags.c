/* Heaps with tags: what a visit shows, where memory of ended threads goes, and heaps that may not be
   destroyed. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/rare.h"
#include "shadow.h"

static shadow_t shadow;

static size_t shown_in(mi_heap_t* heap, int tag) {
  shadow_restart(&shadow);
  shadow.heap = heap;
  shadow.tag = tag;
  CHECK(mi_heap_visit_blocks(heap, true, shadow_show, &shadow));
  return shadow.shown;
}

static void fill(mi_heap_t* heap, size_t count) {
  static const size_t sizes[] = {16, 100, 3000, 30000, 300000};
  for (size_t i = 0; i < count; i++) {
    shadow_add(&shadow, mi_heap_malloc(heap, sizes[i % 5]), sizes[i % 5]);
  }
}

static void free_all(void) {
  for (size_t i = 0; i < shadow.count; i++) mi_free(shadow.blocks[i].p);
  memset(&shadow, 0, sizeof(shadow));
}

static void making(void) {
  int errors[] = {-1, 256, 1 << 20};
  mi_option_disable(mi_option_show_errors);
  for (int i = 0; i < 3; i++) {
    errno = 0;
    CHECK_PTR(mi_heap_new_ex(errors[i], true, 0), ==, NULL);
    CHECK_EQ(errno, EINVAL);
  }
  CHECK_PTR(mi_heap_new_ex(0, true, 12345), ==, NULL);
  mi_option_enable(mi_option_show_errors);
  static const int tags[] = {0, 1, 255};
  for (int i = 0; i < 3; i++) {
    mi_heap_t* heap = mi_heap_new_ex(tags[i], true, 0);
    CHECK(heap != NULL);
    fill(heap, 50);
    CHECK_EQ(shown_in(heap, tags[i]), 50);
    mi_heap_destroy(heap);
    memset(&shadow, 0, sizeof(shadow));
  }
}

/* Deleted: to the heap of that tag, or to the backing heap, with its tag. */
static void deleting(void) {
  mi_heap_t* keeper = mi_heap_new_ex(7, false, 0);
  mi_heap_t* heap = mi_heap_new_ex(7, true, 0);
  fill(heap, 50);
  mi_heap_delete(heap);
  heaps_check();
  CHECK_EQ(shown_in(keeper, 7), 50);
  mi_heap_delete(keeper);
  heaps_check();
  shadow.tag = 0;
  for (size_t i = 0; i < shadow.count; i++) {
    CHECK(mi_heap_contains_block(mi_heap_get_backing(), shadow.blocks[i].p));
  }
  CHECK_EQ(shown_in(mi_heap_get_backing(), 0), 50);
  free_all();
  /* One that may be destroyed takes nothing. */
  mi_heap_t* greedy = mi_heap_new_ex(9, true, 0);
  heap = mi_heap_new_ex(9, true, 0);
  fill(heap, 50);
  mi_heap_delete(heap);
  CHECK_EQ(greedy->page_count, 0);
  mi_heap_destroy(greedy);
  free_all();
}

/* To destroy a heap that does not allow it is to delete it. */
static void not_destroyed(void) {
  mi_heap_t* heap = mi_heap_new_ex(3, false, 0);
  fill(heap, 50);
  for (size_t i = 0; i < shadow.count; i++)
    memset(shadow.blocks[i].p, (int)i, shadow.blocks[i].size);
  mi_heap_destroy(heap);
  for (size_t i = 0; i < shadow.count; i++) {
    CHECK(mi_check_owned(shadow.blocks[i].p));
    for (size_t k = 0; k < shadow.blocks[i].size; k++) CHECK_EQ(shadow.blocks[i].p[k], i);
  }
  free_all();
}

static void* leave_tagged_blocks(void* arg) {
  (void)arg;
  fill(mi_heap_new_ex(5, true, 0), 100);
  fill(mi_heap_new_ex(6, false, 0), 100);
  fill(mi_heap_get_backing(), 100);
  return NULL;
}

/* Three hundred blocks of an ended thread: a hundred of tag 5, of tag 6, of none. */
static void leave(void) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, leave_tagged_blocks, NULL), 0);
  pthread_join(thread, NULL);
}

static size_t count_in(mi_heap_t* heap, size_t from) {
  size_t found = 0;
  for (size_t i = from; i < from + 100; i++) {
    found += mi_heap_contains_block(heap, shadow.blocks[i].p);
  }
  return found;
}

static void adopting(void) {
  mi_collect(true);
  mi_heap_t* destroyable = mi_heap_new_ex(5, true, 0);
  mi_heap_t* five = mi_heap_new_ex(5, false, 0);
  leave();
  mi_collect(true);
  heaps_check();
  CHECK_EQ(count_in(five, 0), 100);
  CHECK_EQ(count_in(mi_heap_get_backing(), 100), 100);
  CHECK_EQ(count_in(mi_heap_get_backing(), 200), 100);
  CHECK_EQ(shown_in(five, 5), 100);
  CHECK_EQ(destroyable->page_count, 0);
  free_all();

  /* A free into what was left adopts in the same way. */
  leave();
  mi_rare_set(mi_rare_reclaim, 1); /* though this thread has pages to spare */
  mi_free(shadow.blocks[0].p);
  mi_rare_set(mi_rare_reclaim, 0);
  shadow.blocks[0].p = NULL;
  heaps_check();
  CHECK(mi_heap_contains_block(five, shadow.blocks[5].p));
  free_all();

  /* And so does a heap other than the backing one that needs a page. */
  mi_collect(true);
  mi_heap_t* six = mi_heap_new_ex(6, false, 0);
  leave();
  void* own[100];
  size_t count = 0;
  while (count < 100 && count_in(six, 100) == 0) own[count++] = mi_heap_malloc(six, 300000);
  CHECK_CMP(count_in(six, 100), >, 0);
  CHECK_EQ(count_in(six, 0) + count_in(six, 200), 0);
  heaps_check();
  while (count > 0) mi_free(own[--count]);
  mi_heap_delete(six);
  mi_heap_delete(five);
  mi_heap_destroy(destroyable);
  free_all();
}

int main(void) {
  making();
  deleting();
  not_destroyed();
  adopting();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  return 0;
}
