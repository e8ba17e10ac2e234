/* A thread with many heaps: to end one takes hardly longer the more there are. */
#include <time.h>

#include "check.h"
#include "heap/heap.h"
#include "heap/heaps.h"
#include "random.h"

enum { FEW = 1000, MANY = 16 * FEW };

static mi_heap_t* heaps[MANY];
static random_t random_state;

static void shuffle(size_t count) {
  for (size_t i = count; i > 1; i--) {
    size_t j = random_below(&random_state, i);
    mi_heap_t* heap = heaps[i - 1];
    heaps[i - 1] = heaps[j];
    heaps[j] = heap;
  }
}

static void make(size_t count, int tag) {
  for (size_t i = 0; i < count; i++) {
    heaps[i] = mi_heap_new_ex(tag, true, 0);
    CHECK(heaps[i] != NULL);
    CHECK(mi_heap_malloc(heaps[i], 100) != NULL);
  }
  shuffle(count);
}

/* The CPU time that it takes to end so many heaps, in any order. */
static double end_all(size_t count, int tag, void (*end)(mi_heap_t*)) {
  make(count, tag);
  clock_t start = clock();
  for (size_t i = 0; i < count; i++) end(heaps[i]);
  return (double)(clock() - start);
}

/* Sixteen times as many heaps take less than 100 times as long; looking through a list of them, it
   was a thousand times. */
static void each_as_fast(int tag, void (*end)(mi_heap_t*)) {
  double few = 0, many = 0;
  for (int tries = 0; tries < 5 && (few == 0 || many >= 100 * few); tries++) {
    few = end_all(FEW, tag, end);
    many = end_all(MANY, tag, end);
  }
  CHECK(many < 100 * few);
}

/* How many heaps the thread has, as its list says. */
static size_t listed(void) {
  size_t count = 0;
  const mi_heap_t* prev = NULL;
  for (mi_heap_t* heap = mi_heap_get_backing()->tld->heaps; heap != NULL; heap = heap->next) {
    CHECK_PTR(heap->prev, ==, prev);
    CHECK(mi_heap_is_mine(heap));
    prev = heap;
    count++;
  }
  return count;
}

static void in_any_order(void) {
  enum { HEAPS = 100 };
  size_t before = listed();
  make(HEAPS, 0);
  for (size_t i = 0; i < HEAPS; i++) {
    CHECK_EQ(listed(), before + HEAPS - i);
    if (i % 2 == 0) {
      mi_heap_destroy(heaps[i]);
    } else {
      mi_heap_delete(heaps[i]);
    }
    CHECK(!mi_heap_is_mine(heaps[i]));
  }
  CHECK_EQ(listed(), before);
}

/* What is no heap, in pages where heaps may lie. */
static void no_heap(void) {
  mi_heap_t* heap = mi_heap_new();
  mi_heap_t* other = mi_heap_new();
  CHECK(mi_heap_is_mine(heap) && mi_heap_is_mine(other));
  for (size_t inside = 1; inside < sizeof(*heap); inside++)
    CHECK(!mi_heap_is_mine((mi_heap_t*)((uint8_t*)heap + inside)));
  CHECK(!mi_heap_is_mine((mi_heap_t*)((uint8_t*)mi_page_of(heap)->start - 8)));
  CHECK(!mi_heap_is_mine(NULL));
  mi_heap_destroy(heap);
  CHECK(!mi_heap_is_mine(heap));
  /* Blocks of the same size, one of them where the heap was. */
  enum { BLOCKS = 100 };
  void* blocks[BLOCKS];
  for (int i = 0; i < BLOCKS; i++) {
    blocks[i] = mi_malloc(sizeof(mi_heap_t));
    CHECK(!mi_heap_is_mine(blocks[i]));
  }
  for (int i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
  CHECK(mi_heap_is_mine(other));
  mi_heap_destroy(other);
}

/* A heap of the tag gets the blocks of one that is deleted, if there is one that may. */
static void heirs(void) {
  mi_heap_t* backing = mi_heap_get_backing();
  mi_heap_t* heir = mi_heap_new_ex(1, false, 0);
  mi_heap_t* other = mi_heap_new_ex(2, false, 0);
  mi_heap_t* mortal = mi_heap_new_ex(1, true, 0);
  CHECK_PTR(mi_heap_for_tag(backing->tld, 1), ==, heir);
  CHECK_PTR(mi_heap_for_tag(backing->tld, 2), ==, other);
  CHECK_PTR(mi_heap_for_tag(backing->tld, 3), ==, backing);
  mi_heap_delete(heir);
  CHECK_PTR(mi_heap_for_tag(backing->tld, 1), ==, backing);
  CHECK_PTR(mi_heap_for_tag(backing->tld, 2), ==, other);
  mi_heap_destroy(other);
  CHECK_PTR(mi_heap_for_tag(backing->tld, 2), ==, backing);
  mi_heap_destroy(mortal);
  CHECK_PTR(backing->heir, ==, NULL);
}

/* One of several heaps of a tag is the heir, whichever of them go. */
static void heirs_in_any_order(void) {
  enum { TAGS = 7, EACH = 6, HEAPS = TAGS * EACH };
  mi_tld_t* tld = mi_heap_get_backing()->tld;
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < HEAPS; i++) {
      heaps[i] = mi_heap_new_ex(i % TAGS, i % 5 == 0, 0);
      CHECK(heaps[i] != NULL);
    }
    shuffle(HEAPS);
    for (size_t left = HEAPS; left > 0; left--) {
      for (int tag = 0; tag < TAGS; tag++) {
        const mi_heap_t* heir = mi_heap_for_tag(tld, (uint8_t)tag);
        bool some = false, found = false;
        for (size_t i = 0; i < left; i++) {
          bool may = tag != 0 && heaps[i]->tag == tag && !heaps[i]->allow_destroy;
          some = some || may;
          found = found || (may && heaps[i] == heir);
        }
        CHECK(some ? found : heir == &tld->backing);
      }
      CHECK_EQ(listed(), left + 1);
      mi_heap_delete(heaps[left - 1]);
    }
  }
  CHECK_PTR(tld->backing.heir, ==, NULL);
}

int main(void) {
  random_state.state = test_seed();
  heirs();
  heirs_in_any_order();
  in_any_order();
  no_heap();
  if (MI_DEBUG == 0) { /* else making them checks the backing heap again and again */
    each_as_fast(0, mi_heap_destroy);
    each_as_fast(0, mi_heap_delete);
    each_as_fast(1, mi_heap_delete);
    mi_heap_t* heir = mi_heap_new_ex(2, false, 0);
    each_as_fast(1, mi_heap_delete); /* though another tag has an heir */
    mi_heap_delete(heir);
  }
  return 0;
}
