/* Pages with holes are visited while other threads free blocks in them and purge these: each block that lives is shown
   once, one that is freed meanwhile at most once, and one that was freed before not at all. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"
#include "page/holes.h"
#include "page/scavenge.h"
#include "pattern.h"
#include "random.h"
#include "segment/segment.h"

enum { COUNT = 240, ROUNDS = 120 / TEST_SLOWNESS, VISITS = 3 };

typedef enum fate_e { DEAD, LIVES, DIES } fate_t;

typedef struct block_s {
  uint8_t* p;
  size_t size;
  fate_t fate; /* DIES: others free it in this round */
  int shown;
} block_t;

static block_t blocks[COUNT];
static random_t rng;
static mi_heap_t* heap; /* NULL: abandoned blocks are visited */
static size_t holes;    /* that visits came upon */
static bool scavenger_ends;

static block_t* find(const void* p) {
  for (size_t i = 0; i < COUNT; i++)
    if (blocks[i].p == p) return &blocks[i];
  return NULL;
}

/* Allocates what is dead, in runs of one size: neighbours die together. */
static void fill(void) {
  static const size_t sizes[] = {1200, 2048, 5120, 8192, 20000, 32768};
  size_t size = 0;
  for (size_t i = 0; i < COUNT; i++) {
    block_t* b = &blocks[i];
    if (b->fate != DEAD) continue;
    if (size == 0 || i % 30 == 0) size = sizes[random_below(&rng, sizeof(sizes) / sizeof(*sizes))];
    uint8_t* p = heap != NULL ? mi_heap_malloc(heap, size) : mi_malloc(size);
    CHECK_PTR(find(p), ==, NULL);
    *b = (block_t){.p = p, .size = size, .fate = LIVES};
    pattern_fill(p, size, (uintptr_t)p);
  }
}

static void choose_victims(void) {
  for (size_t i = 0; i < COUNT;) {
    bool die = !random_one_in(&rng, 3);
    for (size_t end = i + 1 + random_below(&rng, 20); i < end && i < COUNT; i++) {
      if (die) blocks[i].fate = DIES;
    }
  }
}

static void* free_victims(void* arg) {
  for (size_t i = 0; i < COUNT; i++) {
    if (blocks[i].fate != DIES) continue;
    mi_free(blocks[i].p);
    if (i % 16 == 0) mi_os_yield(0);
  }
  return arg;
}

static void* scavenge(void* arg) {
  while (!__atomic_load_n(&scavenger_ends, __ATOMIC_RELAXED)) {
    mi_scavenge_all();
    mi_os_yield(0);
  }
  return arg;
}

static bool
show(const mi_heap_t* visited, const mi_heap_area_t* area, void* p, size_t size, void* arg) {
  (void)arg;
  CHECK_PTR(visited, ==, heap);
  if (p == NULL) {
    holes += mi_page_hole_count(mi_page_of(area->blocks));
    return true;
  }
  block_t* b = find(p);
  CHECK(b != NULL && b->fate != DEAD);
  CHECK_CMP(b->size, <=, size);
  CHECK_EQ(b->shown++, 0);
  if (b->fate == LIVES) CHECK(pattern_holds(p, b->size, (uintptr_t)p));
  /* What it allocates may have been a hole. It is not shown: it was free when the visit began. */
  if (heap != NULL && random_one_in(&rng, 8)) {
    void* mine = mi_heap_malloc(heap, b->size);
    CHECK(mine != p || b->fate == DIES);
    memset(mine, 0, b->size);
    mi_free(mine);
  }
  return true;
}

static void visit(void) {
  for (size_t i = 0; i < COUNT; i++) blocks[i].shown = 0;
  if (heap != NULL) {
    CHECK(mi_heap_visit_blocks(heap, true, show, NULL));
  } else {
    CHECK(mi_abandoned_visit_blocks(NULL, -1, true, show, NULL));
  }
  for (size_t i = 0; i < COUNT; i++) {
    if (blocks[i].fate == LIVES) CHECK_EQ(blocks[i].shown, 1);
  }
}

static void round_of_visits(void) {
  pthread_t freer;
  choose_victims();
  CHECK_EQ(pthread_create(&freer, NULL, free_victims, NULL), 0);
  for (int i = 0; i < VISITS; i++) visit();
  pthread_join(freer, NULL);
  for (size_t i = 0; i < COUNT; i++) {
    if (blocks[i].fate == DIES) blocks[i] = (block_t){0};
  }
  visit();
}

static void of_heap(void) {
  heap = mi_heap_new();
  for (int i = 0; i < ROUNDS; i++) {
    fill();
    round_of_visits();
    heaps_check();
  }
  mi_heap_destroy(heap);
  memset(blocks, 0, sizeof(blocks));
}

static void* leave(void* arg) {
  fill();
  return arg;
}

/* What a thread left when it ended: only others free there. */
static void of_ended_thread(void) {
  heap = NULL;
  for (int i = 0; i < ROUNDS; i++) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, leave, NULL), 0);
    pthread_join(thread, NULL);
    round_of_visits();
    pthread_t freer;
    for (size_t k = 0; k < COUNT; k++) {
      if (blocks[k].fate == LIVES) blocks[k].fate = DIES;
    }
    CHECK_EQ(pthread_create(&freer, NULL, free_victims, NULL), 0);
    pthread_join(freer, NULL);
    mi_collect(true); /* the next thread begins with pages of its own */
    memset(blocks, 0, sizeof(blocks));
  }
}

int main(void) {
  pthread_t scavenger;
  rng.state = test_seed();
  mi_option_set(mi_option_purge_delay, 3600000);
  mi_option_enable(mi_option_visit_abandoned);
  CHECK_EQ(pthread_create(&scavenger, NULL, scavenge, NULL), 0);
  for (unsigned long race = 0; race < 2; race++) {
    mi_rare_set(mi_rare_race, race * 2);
    of_heap();
    of_ended_thread();
  }
  __atomic_store_n(&scavenger_ends, true, __ATOMIC_RELAXED);
  pthread_join(scavenger, NULL);
  CHECK_CMP(holes, >, 0);
  mi_collect(true);
  memory_check();
  return 0;
}
