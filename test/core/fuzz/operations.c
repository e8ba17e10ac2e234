/* Replays a stream of operations, one per few bytes, against a model of what must be alive: contents, size,
   alignment, zeroes, overlap, which heap a block dies with. Three threads take part, one at a time, so that
   the same bytes always do the same; every one of them may allocate, free any block, own heaps, and end.
   After each operation the heaps of its thread are walked, and at the end all of memory must be back.

   MIHEAP_TEST_TRACE=1 prints each operation. */
#include "fuzz/operations.h"

#include <pthread.h>
#include <semaphore.h>

#include "heap/heap.h"
#include "memory.h"
#include "os/rare.h"
#include "pattern.h"

enum { ACTORS = 3, HEAPS = 2, BLOCKS = 96, DEFERRED = 32, MOST_OPERATIONS = 400 };

/* Live bytes, so that a stream cannot ask for more than a machine has. */
#define MOST_LIVE ((size_t)256 << 20)

/* ---- The stream ---- */

static const uint8_t* input;
static size_t input_left;
static bool trace;

#define TRACE(...)                           \
  do {                                       \
    if (trace) fprintf(stderr, __VA_ARGS__); \
  } while (0)

static unsigned next_byte(void) {
  if (input_left == 0) return 0;
  input_left--;
  return *input++;
}

/* Half of them near a boundary of size classes, kinds of pages, or units. */
static size_t next_size(void) {
  static const size_t bounds[] = {0,
                                  8,
                                  16,
                                  128,
                                  256,
                                  1024,
                                  4096,
                                  MI_SMALL_BLOCK_MAX,
                                  32768,
                                  MI_MEDIUM_BLOCK_MAX,
                                  MI_MEDIUM_BLOCK_MAX * 2,
                                  (size_t)1 << 20,
                                  MI_LARGE_BLOCK_MAX,
                                  MI_SEGMENT_SIZE,
                                  MI_SEGMENT_SIZE * 2,
                                  300};
  unsigned kind = next_byte();
  unsigned detail = next_byte();
  if (kind < 128) {
    size_t bound = bounds[kind % 16];
    size_t below = detail % 32;
    return detail < 128 ? (bound > below ? bound - below : 0) : bound + (detail - 128);
  }
  size_t power = (size_t)1 << (kind % 20);
  return power + power * detail / 256;
}

/* Mostly what programs ask for, up to several segments. */
static size_t next_align(void) {
  unsigned kind = next_byte();
  return (size_t)1 << (kind < 224 ? kind % 14 : kind % 26);
}

/* ---- The model ---- */

typedef struct actor_s {
  unsigned index;
  bool runs; /* its thread is there */
  pthread_t thread;
  sem_t begin;
  sem_t end;
  mi_heap_t* heaps[HEAPS];
  mi_heap_t* chosen; /* its default heap, if that is one of `heaps` */
} actor_t;

typedef struct block_s {
  unsigned char* p; /* NULL: none */
  size_t size;
  bool
      zero; /* made all zero, and resized only by functions that keep what is behind its size zero */
  uint64_t seed;
  mi_heap_t* heap; /* the heap of `heaps` that it lives in; NULL: another one */
} block_t;

static actor_t actors[ACTORS];
static actor_t* actor; /* whose turn it is */
static block_t blocks[BLOCKS];
static block_t deferred[DEFERRED]; /* freed by the callback of the slow path */
static size_t live;
static uint64_t seeds;
static bool may_fail;

static void verify(const block_t* b) { CHECK(pattern_holds(b->p, b->size, b->seed)); }

static void write_pattern(block_t* b) {
  b->seed = ++seeds * 0x9E3779B97F4A7C15u;
  pattern_fill(b->p, b->size, b->seed);
}

static bool overlaps(const block_t* a, const block_t* b) {
  return a != b && b->p != NULL && a->p < b->p + (b->size == 0) + b->size &&
         b->p < a->p + (a->size == 0) + a->size;
}

static void check_apart(const block_t* b) {
  for (int i = 0; i < BLOCKS; i++) CHECK(!overlaps(b, &blocks[i]));
  for (int i = 0; i < DEFERRED; i++) CHECK(!overlaps(b, &deferred[i]));
}

/* Of the model's heaps, the one that the block lives in. */
static mi_heap_t* heap_of(const void* p) {
  mi_heap_t* heap = atomic_load(&mi_page_of(p)->heap);
  for (int a = 0; a < ACTORS; a++) {
    for (int h = 0; h < HEAPS; h++) {
      if (heap != NULL && actors[a].heaps[h] == heap) return heap;
    }
  }
  return NULL;
}

static bool failed(const void* p) {
  if (p != NULL) return false;
  CHECK_EQ(errno, ENOMEM);
  CHECK(may_fail);
  return true;
}

/* The block is at b->p with b->size bytes. */
static void took(block_t* b, size_t align, size_t offset, mi_heap_t* asked, bool zero) {
  CHECK_EQ(((uintptr_t)b->p + offset) & (align - 1), 0);
  CHECK_EQ((uintptr_t)b->p & 7, offset % 8 == 0 ? 0 : (uintptr_t)b->p & 7);
  CHECK_CMP(mi_usable_size(b->p), >=, b->size);
  if (zero) CHECK(is_all_zero(b->p, b->size));
  b->zero = zero;
  b->heap = heap_of(b->p);
  CHECK_PTR(b->heap, ==, asked);
  check_apart(b);
  live += b->size;
  write_pattern(b);
}

static void gone(block_t* b) {
  live -= b->size;
  b->p = NULL;
}

static void release(block_t* b) {
  verify(b);
  int saved = errno = 77;
  mi_free(b->p);
  CHECK_EQ(errno, saved);
  gone(b);
}

/* Also what a slow path of another thread calls: whoever has the turn. */
static void on_deferred(bool force, unsigned long long heartbeat, void* arg) {
  (void)heartbeat;
  (void)arg;
  for (int i = 0; i < DEFERRED; i++) {
    if (deferred[i].p == NULL) continue;
    release(&deferred[i]);
    mi_free(mi_malloc(40));
    if (!force) return;
  }
}

/* ---- Operations ---- */

static mi_heap_t* next_heap(void) {
  unsigned h = next_byte() % (HEAPS * 2);
  return h < HEAPS ? actor->heaps[h] : NULL;
}

static block_t* next_block(void) { return &blocks[next_byte() % BLOCKS]; }

static size_t natural_align(size_t size) { return size >= 16 ? 16 : 8; }

/* The functions that take a heap and those that do not, as the stream chooses. */
static void allocate(block_t* b, unsigned how) {
  mi_heap_t* heap = next_heap();
  size_t size = next_size();
  if (b->p != NULL) {
    release(b);
    return;
  }
  if (live + size > MOST_LIVE) return;
  mi_heap_t* in = heap != NULL ? heap : actor->chosen;
  size_t align = natural_align(size);
  size_t offset = 0;
  bool zero = how == 1 || how == 2 || how == 4 || how == 6;
  errno = 0;
  *b = (block_t){.size = size};
  switch (how) {
  case 0: b->p = heap != NULL ? mi_heap_malloc(heap, size) : mi_malloc(size); break;
  case 1: b->p = heap != NULL ? mi_heap_zalloc(heap, size) : mi_zalloc(size); break;
  case 2: b->p = heap != NULL ? mi_heap_calloc(heap, size, 1) : mi_calloc(1, size); break;
  case 3:
  case 4:
    align = next_align();
    if (heap != NULL) {
      b->p = zero ? mi_heap_zalloc_aligned(heap, size, align)
                  : mi_heap_malloc_aligned(heap, size, align);
    } else {
      b->p = zero ? mi_zalloc_aligned(size, align) : mi_malloc_aligned(size, align);
    }
    break;
  case 5:
  case 6:
    align = next_align();
    offset = next_size();
    if (heap != NULL) {
      b->p = zero ? mi_heap_zalloc_aligned_at(heap, size, align, offset)
                  : mi_heap_malloc_aligned_at(heap, size, align, offset);
    } else {
      b->p = zero ? mi_zalloc_aligned_at(size, align, offset)
                  : mi_malloc_aligned_at(size, align, offset);
    }
    break;
  default:
    b->size = size %= MI_SMALL_SIZE_MAX + 1;
    align = natural_align(size);
    b->p = heap != NULL ? mi_heap_malloc_small(heap, size) : mi_malloc_small(size);
    break;
  }
  TRACE("%u: allocate.%u %d: %zu align %zu at %zu = %p\n", actor->index, how, (int)(b - blocks),
        size, align, offset, (void*)b->p);
  if (!failed(b->p)) took(b, align, offset, in, zero);
}

/* As many of one size as fill pages, so that they become full. */
static void allocate_many(void) {
  unsigned first = next_byte() % BLOCKS;
  unsigned count = 1 + next_byte() % BLOCKS;
  size_t size = next_size();
  for (unsigned i = 0; i < count; i++) {
    block_t* b = &blocks[(first + i) % BLOCKS];
    if (b->p != NULL) continue;
    if (live + size > MOST_LIVE) return;
    *b = (block_t){.size = size};
    errno = 0;
    b->p = mi_malloc(size);
    TRACE("%u: malloc %d: %zu = %p\n", actor->index, (int)(b - blocks), size, (void*)b->p);
    if (!failed(b->p)) took(b, natural_align(size), 0, actor->chosen, false);
  }
}

static void free_many(void) {
  unsigned first = next_byte() % BLOCKS;
  unsigned count = 1 + next_byte() % BLOCKS;
  unsigned step = 1 + next_byte() % 3;
  TRACE("%u: free %u + %u * %u\n", actor->index, first, count, step);
  for (unsigned i = 0; i < count; i += step) {
    block_t* b = &blocks[(first + i) % BLOCKS];
    if (b->p != NULL) release(b);
  }
}

static void resize(block_t* b, unsigned how) {
  mi_heap_t* heap = next_heap();
  size_t size = next_size();
  size_t align = 1;
  size_t offset = 0;
  bool zero = how >= 2 && b->zero;
  if (b->p == NULL || live + size > MOST_LIVE) return;
  verify(b);
  unsigned char* before = b->p;
  unsigned char* p;
  errno = 0;
  if (how == 2) {
    p = heap != NULL ? mi_heap_rezalloc(heap, b->p, size) : mi_rezalloc(b->p, size);
  } else if (how == 3) {
    align = next_align();
    offset = next_size();
    p = heap != NULL ? mi_heap_recalloc_aligned_at(heap, b->p, size, 1, align, offset)
                     : mi_recalloc_aligned_at(b->p, 1, size, align, offset);
  } else if (how == 0) {
    p = heap != NULL ? mi_heap_realloc(heap, b->p, size) : mi_realloc(b->p, size);
  } else {
    align = next_align();
    p = heap != NULL ? mi_heap_realloc_aligned(heap, b->p, size, align)
                     : mi_realloc_aligned(b->p, size, align);
  }
  TRACE("%u: realloc.%u %d: %p, %zu -> %zu align %zu at %zu = %p\n", actor->index, how,
        (int)(b - blocks), (void*)before, b->size, size, align, offset, (void*)p);
  if (failed(p)) {
    verify(b);
    return;
  }
  CHECK(pattern_holds_prefix(p, size < b->size ? size : b->size, b->size, b->seed));
  if (zero && size > b->size) CHECK(is_all_zero(p + b->size, size - b->size));
  CHECK_EQ(((uintptr_t)p + offset) & (align - 1), 0);
  CHECK_CMP(mi_usable_size(p), >=, size);
  mi_heap_t* in = heap_of(p);
  mi_heap_t* asked = heap != NULL ? heap : actor->chosen;
  CHECK(in == asked || (heap == NULL && in == b->heap));
  live = live - b->size + size;
  *b = (block_t){.p = p, .size = size, .zero = zero, .heap = in};
  check_apart(b);
  write_pattern(b);
}

static void expand(block_t* b) {
  if (b->p == NULL) return;
  verify(b);
  size_t usable = mi_usable_size(b->p);
  CHECK_PTR(mi_expand(b->p, usable), ==, b->p);
  CHECK_PTR(mi_expand(b->p, usable + 1), ==, NULL);
  if (live + usable > MOST_LIVE) return;
  live = live - b->size + usable;
  b->size = usable;
  b->zero = false;
  check_apart(b);
  write_pattern(b);
}

static void impossible(unsigned how) {
  size_t size = (size_t)PTRDIFF_MAX - next_size();
  void* p = NULL;
  errno = 0;
  switch (how % 4) {
  case 0: p = mi_malloc(how < 128 ? size : size + PTRDIFF_MAX); break;
  case 1: p = mi_calloc(size, 3 + how); break;
  case 2: p = mi_malloc_aligned(size, next_align()); break;
  default: p = mi_realloc(NULL, size); break;
  }
  CHECK_PTR(p, ==, NULL);
  CHECK_EQ(errno, ENOMEM);
}

static void put_aside(block_t* b) {
  for (int i = 0; i < DEFERRED && b->p != NULL; i++) {
    if (deferred[i].p != NULL) continue;
    deferred[i] = *b;
    b->p = NULL;
  }
}

static void end_blocks_of(const mi_heap_t* heap, bool destroyed) {
  block_t* lists[] = {blocks, deferred};
  int counts[] = {BLOCKS, DEFERRED};
  for (int list = 0; list < 2; list++) {
    for (block_t* b = lists[list]; b < lists[list] + counts[list]; b++) {
      if (b->p == NULL || b->heap != heap) continue;
      b->heap = NULL;
      if (destroyed) gone(b);
    }
  }
}

static void change_heap(unsigned how) {
  mi_heap_t** heap = &actor->heaps[next_byte() % HEAPS];
  TRACE("%u: heap %d: %u\n", actor->index, (int)(heap - actor->heaps), how % 4);
  if (*heap == NULL) {
    errno = 0;
    *heap = mi_heap_new();
    (void)failed(*heap);
    return;
  }
  switch (how % 4) {
  case 0: mi_heap_collect(*heap, how >= 128); return;
  case 1:
    mi_heap_set_default(actor->chosen == *heap ? mi_heap_get_backing() : *heap);
    actor->chosen = actor->chosen == *heap ? NULL : *heap;
    return;
  case 2: mi_heap_delete(*heap); break;
  default: mi_heap_destroy(*heap); break;
  }
  end_blocks_of(*heap, how % 4 == 3);
  if (actor->chosen == *heap) actor->chosen = NULL;
  *heap = NULL;
}

/* The thread's heaps end with it; blocks in them live on. */
static void forget_heaps(void) {
  actor->chosen = NULL;
  for (int h = 0; h < HEAPS; h++) {
    if (actor->heaps[h] != NULL) end_blocks_of(actor->heaps[h], false);
    actor->heaps[h] = NULL;
  }
}

static void set_switch(void) {
  mi_rare_t which = (mi_rare_t)(next_byte() % mi_rare_count_);
  unsigned n = next_byte() % 16;
  TRACE("%u: switch %d = %u\n", actor->index, (int)which, n);
  mi_rare_set(which, n);
}

static void set_option(void) {
  static const struct {
    mi_option_t option;
    long values[4];
  } options[] = {
      {mi_option_purge_delay, {0, 1, -1, 1000}},
      {mi_option_purge_decommits, {0, 1, 0, 1}},
      {mi_option_abandoned_reclaim_on_free, {0, 1, 0, 1}},
      {mi_option_max_segment_reclaim, {0, 10, 50, 100}},
      {mi_option_generic_collect, {1, 2, 10, 10000}},
  };
  unsigned i = next_byte();
  unsigned value = i / 5 % 4;
  TRACE("%u: option %u: %ld\n", actor->index, i % 5, options[i % 5].values[value]);
  mi_option_set(options[i % 5].option, options[i % 5].values[value]);
}

/* Returns false if the thread is to end. */
static bool operation(unsigned kind) {
  switch (kind) {
  case 0:
  case 1:
  case 2:
  case 3:
  case 4:
  case 5:
  case 6:
  case 7: allocate(next_block(), kind); break;
  case 8:
  case 9:
  case 10: resize(next_block(), kind == 10 ? 2 + next_byte() % 2 : kind - 8); break;
  case 11: {
    block_t* b = next_block();
    TRACE("%u: free %d: %p\n", actor->index, (int)(b - blocks), (void*)b->p);
    if (b->p != NULL) release(b);
    break;
  }
  case 12: allocate_many(); break;
  case 13: free_many(); break;
  case 14: expand(next_block()); break;
  case 15: impossible(next_byte()); break;
  case 16: put_aside(next_block()); break;
  case 17:
  case 18: change_heap(next_byte()); break;
  case 19: mi_collect(next_byte() % 2 != 0); break;
  case 20:
    TRACE("%u: thread_done\n", actor->index);
    forget_heaps();
    mi_thread_done();
    break;
  case 21: set_switch(); break;
  case 22: set_option(); break;
  case 23: memory_check(); break;
  default: return false;
  }
  return true;
}

/* ---- Taking turns ---- */

static unsigned kind; /* of the operation to be done; the turn passes it on */

static bool step(void) {
  bool go_on = operation(kind);
  heaps_check();
  if (!go_on) forget_heaps();
  return go_on;
}

/* libFuzzer's timer interrupts. */
static void wait_for(sem_t* turn) {
  while (sem_wait(turn) != 0) CHECK_EQ(errno, EINTR);
}

static void* take_turns(void* arg) {
  actor_t* self = arg;
  bool go_on;
  do {
    wait_for(&self->begin);
    go_on = step();
    if (go_on) sem_post(&self->end);
  } while (go_on);
  return NULL;
}

enum { END = 24 };

static void give_turn(actor_t* next) {
  actor = next;
  if (actor->index == 0) {
    if (!step()) mi_thread_done();
    return;
  }
  if (!actor->runs) {
    if (kind == END) return;
    CHECK_EQ(pthread_create(&actor->thread, NULL, take_turns, actor), 0);
    actor->runs = true;
  }
  sem_post(&actor->begin);
  if (kind != END) {
    wait_for(&actor->end);
    return;
  }
  TRACE("%u: ends\n", actor->index);
  pthread_join(actor->thread, NULL);
  actor->runs = false;
}

/* A stream starts with a process as the one before it did. */
static void reset(void) {
  static bool before;
  if (!before) {
    before = true;
    trace = getenv("MIHEAP_TEST_TRACE") != NULL;
    mi_thread_init();
    mi_register_deferred_free(on_deferred, NULL);
    for (unsigned i = 0; i < ACTORS; i++) {
      actors[i].index = i;
      sem_init(&actors[i].begin, 0, 0);
      sem_init(&actors[i].end, 0, 0);
    }
  }
  for (int i = 0; i < mi_rare_count_; i++) mi_rare_set((mi_rare_t)i, 0);
  mi_os_fail_from(0);
  mi_option_set(mi_option_purge_delay, -1); /* the clock has no say */
  mi_option_set(mi_option_purge_decommits, 1);
  mi_option_set(mi_option_abandoned_reclaim_on_free, 1);
  mi_option_set(mi_option_max_segment_reclaim, 10);
  mi_option_set(mi_option_generic_collect, 10000);
  seeds = 0;
}

static void finish(void) {
  for (int i = 0; i < mi_rare_count_; i++) mi_rare_set((mi_rare_t)i, 0);
  kind = END;
  for (int a = ACTORS - 1; a > 0; a--) give_turn(&actors[a]);
  actor = &actors[0];
  forget_heaps();
  mi_thread_done();
  for (int i = 0; i < BLOCKS; i++) {
    if (blocks[i].p != NULL) release(&blocks[i]);
  }
  for (int i = 0; i < DEFERRED; i++) {
    if (deferred[i].p != NULL) release(&deferred[i]);
  }
  mi_thread_init();
  mi_collect(true);
  memory_check();
  memory_t gauges = memory_gauges();
  CHECK_EQ(live, 0);
  CHECK_EQ(gauges.segments, 0);
  CHECK_EQ(gauges.huge, 0);
  CHECK_EQ(gauges.abandoned, 0);
  CHECK_EQ(gauges.committed, 0);
  CHECK_EQ(gauges.threads, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  input = data;
  input_left = size;
  reset();
  bool fail_next = false;
  for (int i = 0; i < MOST_OPERATIONS && input_left > 0; i++) {
    unsigned byte = next_byte();
    kind = byte % 28;
    actor_t* next = &actors[byte / 28 % ACTORS];
    if (kind > END) { /* the system fails during the next operation */
      mi_os_fail_from(1 + next_byte() % 16);
      TRACE("the system fails\n");
      fail_next = true;
      continue;
    }
    may_fail = fail_next || mi_rare_get(mi_rare_os_fail) != 0;
    give_turn(next);
    mi_os_fail_from(0);
    fail_next = false;
  }
  may_fail = false;
  finish();
  return 0;
}
