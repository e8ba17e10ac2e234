/* A process forks while another thread stands still at one of its instructions; in the end, at each n-th of all that a
   life in the allocator takes. The child can use its heap, and has lost no more than the block that the thread was at.

   fork_anywhere [N [SCENARIO]]: at each N-th, 1 by default, but at each one of a short scenario; all six. The thread
   stops itself: it sets the processor's trap flag, and the handler of the signal lets the first thread fork. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "page/holes.h"
#include "page/scavenge.h"
#include "segment/cookie.h"
#include "segment/huge_cache.h"
#include "segment/pin.h"
#include "segment/run.h"

enum { MIB = 1 << 20, PLACES = 48 };

static void* _Atomic places[PLACES];

static unsigned long every = 1;
static unsigned long stride; /* of the scenario */
/* Of the thread; the first one reads them while that one stands still. */
static unsigned long steps;
static greg_t address;

typedef enum turn_e { WALKS, STANDS, OVER } turn_t;
static _Atomic(turn_t) turn;

static void step(int signal_number, siginfo_t* info, void* context) {
  (void)signal_number, (void)info;
  if (++steps % stride != 0) return;
  address = ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
  atomic_store(&turn, STANDS);
  while (atomic_load(&turn) == STANDS) sched_yield();
}

#define BELOW_RED_ZONE(code) "lea -128(%%rsp), %%rsp; " code "; lea 128(%%rsp), %%rsp"

static void walk_step_by_step(bool on) {
  enum { TRAP_FLAG = 0x100 };
  if (on) {
    __asm__ volatile(BELOW_RED_ZONE("pushf; orl %0, (%%rsp); popf")::"i"(TRAP_FLAG)
                     : "memory", "cc");
  } else {
    __asm__ volatile(BELOW_RED_ZONE("pushf; andl %0, (%%rsp); popf")::"i"(~TRAP_FLAG)
                     : "memory", "cc");
  }
}

typedef struct scenario_s {
  const char* name;
  void (*run)(void);
  bool by_another; /* a thread fills the places, and ends */
  bool has_heap;   /* the one that walks */
  bool runs;     /* the places hold neighbours of a few sizes, whose memory goes back one by one */
  bool is_short; /* forks at each step, also where the others are thinned out */
} scenario_t;
static const scenario_t* scenario;

static const size_t sizes[] = {16,   16,   16,     16,     16,     16,      200,     200,
                               5000, 5000, 100000, 100000, 700000, 2000000, 5 * MIB, 9 * MIB};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void* allocate_neighbour(size_t i) {
  static const size_t neighbours[] = {2048, 5120, 20480};
  uint64_t* p = mi_malloc(neighbours[i * 3 / PLACES]);
  CHECK(p != NULL);
  p[0] = p[100] = i;
  return p;
}

static void* allocate(size_t i) {
  if (scenario->runs) return allocate_neighbour(i);
  /* The last ones are mappings of their own. What a thread without a heap was doing to one is not completed. */
  bool mapping = scenario->has_heap && i >= PLACES - 2;
  void* p = mapping ? mi_malloc_aligned(5 * MIB, 8 * MIB) : mi_malloc(sizes[i % SIZES]);
  CHECK(p != NULL);
  *(char*)p = 1;
  return p;
}

static void* fill(void* arg) {
  for (size_t i = 0; i < PLACES; i++) mi_free(atomic_exchange(&places[i], allocate(i)));
  return arg;
}

static void take_from_places(void) {
  for (size_t i = 0; i < PLACES; i++) {
    uint64_t* p = atomic_exchange(&places[i], NULL);
    if (p != NULL && scenario->runs) {
      CHECK_EQ(p[0], i);
      CHECK_EQ(p[100], i);
    }
    mi_free(p);
  }
}

/* ---- What the thread does ---- */

/* Blocks of a thread that has ended; it has no heap itself. */
static void free_abandoned(void) { take_from_places(); }

/* Blocks of the first thread, which lives. */
static void free_of_another(void) { take_from_places(); }

static void grow(void** place) {
  size_t size = mi_usable_size(*place);
  bool copied = size > 10000 && size < 4 * MIB; /* not worth the steps */
  if (copied) return;
  *place = mi_realloc(*place, size * 5);
  CHECK(*place != NULL);
}

static mi_arena_id_t arena;

static void use_other_heaps(void) {
  mi_heap_t* heaps[] = {mi_heap_new(), mi_heap_new(), mi_heap_new_in_arena(arena)};
  for (size_t i = 0; i < PLACES / 2; i++)
    CHECK(mi_heap_malloc(heaps[i % 3], sizes[i % SIZES]) != NULL);
  CHECK(mi_heap_malloc(heaps[2], 40 * MIB) != NULL);
  mi_heap_delete(heaps[0]);
  mi_heap_destroy(heaps[1]);
  mi_heap_destroy(heaps[2]);
}

/* Has a heap from its first block to its end, and frees some of the first thread's blocks. */
static void live(void) {
  void* mine[PLACES];
  for (size_t i = 0; i < PLACES; i++) {
    mine[i] = allocate(i);
    if (i % 3 == 0) mi_free(atomic_exchange(&places[i], NULL));
  }
  for (size_t i = 0; i < PLACES; i += 5) grow(&mine[i]);
  for (size_t i = 0; i < PLACES; i += 2) mi_free(mine[i]);
  for (size_t i = 1; i < PLACES; i += 2) {
    if (i % 3 == 0) mi_free(mine[i]);
    if (i % 3 == 1) atomic_store(&places[i], mine[i]);
  }
  use_other_heaps();
  mi_collect(true);
  mi_thread_done();
}

static size_t count_holes(void) {
  size_t count = 0;
  for (size_t i = 0; i < PLACES; i++) {
    void* p = atomic_load(&places[i]);
    if (p != NULL) count += mi_page_hole_count(mi_page_of(p));
  }
  return count;
}

static void free_places(size_t first) {
  for (size_t i = 0; i < PLACES; i++)
    if (i % 8 >= first) mi_free(atomic_exchange(&places[i], NULL));
}

/* Purges runs of free blocks in pages of the first thread; then more of them, beside the first ones. */
static void make_holes(void) {
  walk_step_by_step(false);
  free_places(5);
  walk_step_by_step(true);
  mi_scavenge_all();
  walk_step_by_step(false);
  CHECK_CMP(count_holes(), >, 0);
  free_places(3);
  walk_step_by_step(true);
  mi_scavenge_all();
}

static void* free_and_purge(void* arg) {
  free_places(3);
  mi_scavenge_all();
  CHECK_CMP(count_holes(), >, 0);
  return arg;
}

static unsigned freed_beside_fills;

/* If the thread that stands has taken a list, and not yet filled its holes: frees a block in that page. */
static bool free_beside_fill(void) {
  for (size_t i = 0; i < PLACES; i++) {
    void* p = atomic_load(&places[i]);
    const mi_page_t* page = p == NULL ? NULL : mi_page_of(p);
    if (page == NULL || mi_page_holes(page) == 0 || mi_page_has_thread_free(page)) continue;
    mi_free(atomic_exchange(&places[i], NULL));
    freed_beside_fills++;
    return true;
  }
  return false;
}

/* Fills holes that others made in its pages. */
static void fill_holes(void) {
  walk_step_by_step(false);
  pthread_t thread;
  for (size_t i = 0; i < PLACES; i++) mi_free(atomic_exchange(&places[i], allocate(i)));
  CHECK_EQ(pthread_create(&thread, NULL, free_and_purge, NULL), 0);
  pthread_join(thread, NULL);
  walk_step_by_step(true);
  for (size_t i = 0; i < PLACES; i++) {
    if (i % 8 >= 3) atomic_store(&places[i], allocate(i));
  }
  walk_step_by_step(false);
}

/* A mapping that is kept, with a page in use in each MiB of it. */
enum { KEPT = 40 * MIB };
static uint8_t* kept;

/* Unmaps it, a part at a time. */
static void drop_kept(void) {
  walk_step_by_step(false);
  kept = mi_malloc(KEPT);
  for (size_t i = 0; i < KEPT; i += MIB) kept[i] = 1;
  mi_free(kept);
  CHECK_CMP(mi_huge_cache_size(), >=, KEPT);
  walk_step_by_step(true);
  while (mi_huge_cache_size() > 0) {
    mi_purge_budget_t budget = {3 * MI_UNITS_PER_SEGMENT};
    mi_huge_cache_drop(&budget);
  }
  walk_step_by_step(false);
  mi_thread_done();
}

static const scenario_t scenarios[] = {
    {"free_abandoned", free_abandoned, true, false, false, false},
    {"free_of_another", free_of_another, false, false, false, false},
    {"make_holes", make_holes, false, false, true, false},
    {"live", live, false, true, false, false},
    {"fill_holes", fill_holes, false, true, true, false},
    {"drop_kept", drop_kept, false, true, false, true},
};

static void* walk(void* arg) {
  walk_step_by_step(true);
  scenario->run();
  walk_step_by_step(false);
  atomic_store(&turn, OVER);
  return arg;
}

/* ---- The child ---- */

static void check_slot(mi_slot_ref_t ref) {
  if (atomic_load(&ref.chunk->free) >> ref.index & 1) {
    mi_slot_t* slot = mi_slot_state(ref);
    CHECK_EQ(atomic_load(&slot->dirty) | atomic_load(&slot->clean), ~(uint64_t)0);
  } else {
    mi_segment_t* segment = (mi_segment_t*)mi_slot_start(ref);
    CHECK(mi_segment_is_live(ref) && segment->cookie == mi_segment_cookie(segment));
  }
}

/* Each is free, with all its units, or in use. */
static void check_slots(void) {
  size_t inside = 0;
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    if (walk.slot.index >= walk.slot.chunk->slot_count) continue;
    if (inside > 0) {
      inside--;
      continue;
    }
    check_slot(walk.slot);
    inside = mi_run_slots(walk.slot) - 1;
  }
}

/* A page that is not in use is not known as one of large blocks. */
static void check_unowned(void) {
  for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) {
    if (walk.slot.index >= walk.slot.chunk->slot_count || !mi_segment_is_live(walk.slot)) continue;
    mi_segment_t* segment = (mi_segment_t*)mi_slot_start(walk.slot);
    if (mi_segment_owner(segment) != 0) continue;
    CHECK_EQ(atomic_load(&segment->coarse_pages) & ~mi_segment_pages(segment), 0);
  }
}

/* Each hole belongs to the list of its page. */
static void check_holes(void) {
  for (size_t i = 0; i < PLACES; i++) {
    void* p = atomic_load(&places[i]);
    const mi_page_t* page = p == NULL ? NULL : mi_page_of(p);
    if (page == NULL || mi_page_holes(page) == 0) continue;
    uintptr_t word = atomic_load(&page->thread_free);
    CHECK(mi_page_list_is_sound(page, mi_tf_list(word), mi_tf_count(word)));
  }
}

/* Nothing is left of what was kept. */
static void check_kept(void) {
  for (size_t i = 0; i < KEPT; i += MIB) {
    unsigned char page = 0;
    uint8_t* at = (uint8_t*)mi_align_down((uintptr_t)kept + i, mi_os_page_size());
    CHECK(!mi_os_resident(at, 1, &page) || (page & 1) == 0);
  }
  CHECK_EQ(mi_huge_cache_size(), 0);
  memory_check();
}

/* Also where a lost thread was just laying out blocks. */
static void check_zeroed(void) {
  enum { SIZE = 60000, BLOCKS = 70 };
  uint64_t* zeroed[BLOCKS];
  for (int i = 0; i < BLOCKS; i++) {
    zeroed[i] = mi_zalloc(SIZE);
    for (size_t k = 0; k < SIZE / sizeof(uint64_t); k++) CHECK_EQ(zeroed[i][k], 0);
  }
  for (int i = 0; i < BLOCKS; i++) mi_free(zeroed[i]);
}

_Noreturn static void child(void) {
  signal(SIGTRAP, SIG_DFL);
  alarm(60);
  memory_check_pages();
  check_unowned();
  check_holes();
  void* mine[PLACES];
  for (size_t i = 0; i < PLACES; i++) mine[i] = allocate(i);
  for (size_t i = 0; i < PLACES; i++) mi_free(mine[i]);
  heaps_check();
  check_zeroed();
  take_from_places();
  mi_collect(true);
  heaps_check();
  check_slots();
  memory_check_pages();
  if (scenario->run == drop_kept) check_kept();
  if (!scenario->has_heap) {
    memory_check();
    CHECK_CMP(memory_gauges().segments, <=, 1);
    CHECK_CMP(memory_gauges().committed, <=, 16 * MIB);
  }
  _exit(0);
}

static void fork_once(void) {
  pid_t pid = fork();
  if (pid == 0) child();
  CHECK_CMP(pid, >, 0);
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  if (status == 0) return;
  fprintf(stderr, "%s: the child of step %lu, at %#llx, ended with %d\n", scenario->name, steps,
          (unsigned long long)address, status);
  abort();
}

static void play(void) {
  pthread_t thread;
  if (scenario->by_another) {
    CHECK_EQ(pthread_create(&thread, NULL, fill, NULL), 0);
    pthread_join(thread, NULL);
  } else {
    fill(NULL);
  }
  steps = 0;
  stride = scenario->is_short ? 1 : every;
  atomic_store(&turn, WALKS);
  CHECK_EQ(pthread_create(&thread, NULL, walk, NULL), 0);
  for (turn_t now; (now = atomic_load(&turn)) != OVER;) {
    if (now != STANDS) {
      sched_yield();
      continue;
    }
    fork_once();
    if (scenario->run == fill_holes && free_beside_fill()) fork_once();
    atomic_store(&turn, WALKS);
  }
  pthread_join(thread, NULL);
  take_from_places();
  mi_collect(true);
  memory_check();
  fprintf(stderr, "%s: %lu steps\n", scenario->name, steps);
  /* It takes more than a hundred instructions to fill some. */
  if (scenario->run == fill_holes && every < 100) CHECK_CMP(freed_beside_fills, >, 0);
}

int main(int argc, char** argv) {
  if (argc > 1) every = strtoul(argv[1], NULL, 10);
  mi_option_set(mi_option_background_purge, 0);
  CHECK_EQ(mi_reserve_os_memory_ex(64 * MIB, false, false, true, &arena), 0);
  struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &action, NULL);
  for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
    scenario = &scenarios[i];
    if (argc <= 2 || strcmp(argv[2], scenario->name) == 0) play();
  }
  return 0;
}
