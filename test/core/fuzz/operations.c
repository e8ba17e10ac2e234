/* Replays a stream of operations, one per few bytes, against a model of what must be alive: contents, size,
   alignment, zeroes, overlap, block sizes, which heap a block is of and dies with, what visits show. Three
   threads take part, one at a time, so that the same bytes always do the same; every one of them may
   allocate, free any block, own heaps, also in an arena that is soon full, and end.
   After each operation the heaps of its thread are walked, and at the end all of memory must be back.

   MIHEAP_TEST_TRACE=1 prints each operation. */
#include "fuzz/operations.h"

#include <pthread.h>
#include <semaphore.h>

#include <sys/mman.h>

#include "heap/thread.h"
#include "memory.h"
#include "os/rare.h"
#include "pattern.h"
#include "segment/arena.h"
#include "segment/segment.h"
#include "shadow.h"

enum { ACTORS = 3, HEAPS = 3, BLOCKS = 96, DEFERRED = 32, MOST_OPERATIONS = 400 };

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
                                  MI_MEDIUM_BLOCK_MAX,
                                  MI_UNIT_SIZE,
                                  MI_UNIT_SIZE * 2,
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
  bool is_apart;     /* in the sub-process */
} actor_t;

typedef struct block_s {
  unsigned char* p; /* NULL: none */
  size_t size;
  bool
      zero; /* made all zero, and resized only by functions that keep what is behind its size zero */
  uint64_t seed;
  size_t block_size; /* as it was told; 0: it was not */
  mi_heap_t* heap;   /* the heap of `heaps` that it lives in; NULL: another one */
} block_t;

static actor_t actors[ACTORS];
static actor_t* actor; /* whose turn it is */
static block_t blocks[BLOCKS];
static block_t deferred[DEFERRED]; /* freed by the callback of the slow path */
static size_t live;
static uint64_t seeds;
static bool may_fail;
static mi_arena_t* arena; /* exclusive */
static mi_subproc_id_t subproc;
static shadow_t shadow; /* the blocks that a visit is to show */

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

static bool arena_has(const void* p) {
  return (uintptr_t)p - (uintptr_t)arena->start < arena->slot_count << MI_SEGMENT_SHIFT;
}

static bool is_in_arena(const mi_heap_t* heap) {
  return heap != NULL && heap->segments->arena == arena;
}

/* What is not huge finds memory as long as a slot is free. */
static void check_no_room(size_t size) {
  if (size > MI_LARGE_BLOCK_MAX) return;
  for (size_t i = 0; i < arena->chunk_count; i++) {
    CHECK_EQ(atomic_load(&mi_chunk_at(arena->first_chunk + i)->free), 0);
  }
}

/* `size`: at most so much was needed in one piece. */
static bool failed(const void* p, const mi_heap_t* asked, size_t size) {
  if (p != NULL) return false;
  CHECK_EQ(errno, ENOMEM);
  if (!may_fail) {
    CHECK(is_in_arena(asked));
    check_no_room(size);
  }
  return true;
}

/* A block stays in its heap as long as that lives. Another one may come to a heap that adopts; to one
   that can be destroyed only in an arena, and does not die with it then. */
static void follow(block_t* b) {
  if (b->p == NULL) return;
  mi_heap_t* now = heap_of(b->p);
  if (b->heap != NULL) {
    CHECK_PTR(now, ==, b->heap);
  } else if (now != NULL && now->allow_destroy) {
    CHECK(is_in_arena(now) && mi_page_of(b->p)->adopted);
  }
  b->heap = now;
  if (now != NULL) CHECK_EQ(arena_has(b->p), is_in_arena(now));
}

static void follow_all(void) {
  for (int i = 0; i < BLOCKS; i++) follow(&blocks[i]);
  for (int i = 0; i < DEFERRED; i++) follow(&deferred[i]);
}

/* The block is at b->p with b->size bytes. */
static void took(block_t* b, size_t align, size_t offset, mi_heap_t* asked, bool zero) {
  CHECK_EQ(arena_has(b->p), is_in_arena(asked));
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
  for (size_t i = 0; i < shadow.count; i++) {
    if (shadow.blocks[i].p == b->p) shadow.blocks[i].p = NULL;
  }
  live -= b->size;
  b->p = NULL;
}

static void release_by(block_t* b, unsigned how) {
  verify(b);
  int saved = errno = 77;
  switch (how) {
  case 0: mi_free_size(b->p, b->size); break;
  case 1: mi_free_size_aligned(b->p, b->size, mi_lowest_bit((uintptr_t)b->p)); break;
  case 2: mi_free_aligned(b->p, mi_lowest_bit((uintptr_t)b->p)); break;
  case 3: mi_cfree(b->p); break;
  case 4: {
    size_t block_size = 0;
    mi_ufree(b->p, &block_size);
    CHECK_CMP(block_size, >=, b->size);
    if (b->block_size != 0) CHECK_EQ(block_size, b->block_size);
    break;
  }
  default: mi_free(b->p); break;
  }
  CHECK_EQ(errno, saved);
  gone(b);
}

static void release(block_t* b) { release_by(b, 5); }

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

/* The first from there on that is alive, if any is. */
static block_t* next_live_block(void) {
  unsigned first = next_byte() % BLOCKS;
  for (unsigned i = 0; i < BLOCKS; i++) {
    block_t* b = &blocks[(first + i) % BLOCKS];
    if (b->p != NULL) return b;
  }
  return &blocks[first];
}

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
  if (!failed(b->p, in, size + align)) took(b, align, offset, in, zero);
}

/* The functions that tell the size of the block, and those of POSIX. */
static void allocate_otherwise(block_t* b) {
  unsigned how = next_byte() % 10;
  size_t size = next_size();
  size_t align = next_align();
  if (b->p != NULL) {
    release_by(b, how);
    return;
  }
  if (how == 4 || how == 5) size %= MI_SMALL_SIZE_MAX + 1;
  if (how == 6 && align < MI_WORD_SIZE) align = MI_WORD_SIZE;
  if (live + size > MOST_LIVE) return;
  bool zero = how == 1 || how == 3 || how == 5 || how == 9;
  *b = (block_t){.size = size};
  size_t block_size = 0;
  errno = 0;
  switch (how) {
  case 0: b->p = mi_umalloc(size, &block_size); break;
  case 1: b->p = mi_ucalloc(size, 1, &block_size); break;
  case 2: b->p = mi_umalloc_aligned(size, align, &block_size); break;
  case 3: b->p = mi_uzalloc_aligned(size, align, &block_size); break;
  case 4: b->p = mi_umalloc_small(size, &block_size); break;
  case 5: b->p = mi_uzalloc_small(size, &block_size); break;
  case 6: {
    void* p = NULL;
    int error = mi_posix_memalign(&p, align, size);
    CHECK_EQ(errno, 0);
    CHECK_EQ(error == 0, p != NULL);
    b->p = p;
    errno = error;
    break;
  }
  case 7: b->p = mi_memalign(align, size); break;
  case 8: b->p = mi_aligned_alloc(align, size); break;
  default: b->p = mi_calloc_aligned_at(1, size, align, size); break;
  }
  TRACE("%u: otherwise.%u %d: %zu align %zu = %p, %zu\n", actor->index, how, (int)(b - blocks),
        size, align, (void*)b->p, block_size);
  CHECK_EQ(block_size != 0, b->p != NULL && how < 6);
  if (failed(b->p, actor->chosen, size + align)) return;
  if (how == 0 || how == 1 || how == 4 || how == 5) align = natural_align(size);
  took(b, align, how == 9 ? size : 0, actor->chosen, zero);
  b->block_size = block_size;
  if (block_size != 0) CHECK_CMP(block_size, >=, mi_usable_size(b->p));
}

/* As many of one size as fill pages, so that they become full. */
static void allocate_many(mi_heap_t* heap) {
  unsigned first = next_byte() % BLOCKS;
  unsigned count = 1 + next_byte() % BLOCKS;
  size_t size = next_size();
  for (unsigned i = 0; i < count; i++) {
    block_t* b = &blocks[(first + i) % BLOCKS];
    if (b->p != NULL) continue;
    if (live + size > MOST_LIVE) return;
    *b = (block_t){.size = size};
    errno = 0;
    b->p = heap != NULL ? mi_heap_malloc(heap, size) : mi_malloc(size);
    TRACE("%u: malloc %d: %zu = %p\n", actor->index, (int)(b - blocks), size, (void*)b->p);
    mi_heap_t* in = heap != NULL ? heap : actor->chosen;
    if (!failed(b->p, in, size)) took(b, natural_align(size), 0, in, false);
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

enum { RESIZE_ZERO = 6, RESIZE_KINDS = 12 }; /* from RESIZE_ZERO on, zeroes are kept */

static void* resized(mi_heap_t* h, void* p, size_t size, size_t align, size_t offset, unsigned how,
                     size_t* block_size) {
  switch (how) {
  case 0: return h != NULL ? mi_heap_realloc(h, p, size) : mi_realloc(p, size);
  case 1:
    return h != NULL ? mi_heap_realloc_aligned(h, p, size, align)
                     : mi_realloc_aligned(p, size, align);
  case 2:
    return h != NULL ? mi_heap_realloc_aligned_at(h, p, size, align, offset)
                     : mi_realloc_aligned_at(p, size, align, offset);
  case 3: return mi_urealloc(p, size, &block_size[0], &block_size[1]);
  case 4: return h != NULL ? mi_heap_reallocn(h, p, size, 1) : mi_reallocn(p, 1, size);
  case 5: return h != NULL ? mi_heap_reallocf(h, p, size) : mi_reallocf(p, size);
  case 6: return h != NULL ? mi_heap_rezalloc(h, p, size) : mi_rezalloc(p, size);
  case 7: return h != NULL ? mi_heap_recalloc(h, p, size, 1) : mi_recalloc(p, 1, size);
  case 8:
    return h != NULL ? mi_heap_rezalloc_aligned(h, p, size, align)
                     : mi_rezalloc_aligned(p, size, align);
  case 9:
    return h != NULL ? mi_heap_rezalloc_aligned_at(h, p, size, align, offset)
                     : mi_rezalloc_aligned_at(p, size, align, offset);
  case 10:
    return h != NULL ? mi_heap_recalloc_aligned(h, p, size, 1, align)
                     : mi_recalloc_aligned(p, 1, size, align);
  default:
    return h != NULL ? mi_heap_recalloc_aligned_at(h, p, size, 1, align, offset)
                     : mi_recalloc_aligned_at(p, 1, size, align, offset);
  }
}

/* Also a block of another heap, or thread. */
static void resize(block_t* b, unsigned how) {
  mi_heap_t* heap = how == 3 ? (next_byte(), NULL) : next_heap();
  mi_heap_t* asked = heap != NULL ? heap : actor->chosen;
  size_t size = next_size();
  bool at = how == 2 || how == 9 || how == 11;
  size_t align = at || how == 1 || how == 8 || how == 10 ? next_align() : 1;
  size_t offset = at ? next_size() : 0;
  bool zero = how >= RESIZE_ZERO && b->zero;
  size_t block_size[2] = {0, 0};
  if (b->p == NULL || live + size > MOST_LIVE) return;
  verify(b);
  unsigned char* before = b->p;
  errno = 0;
  unsigned char* p = resized(heap, before, size, align, offset, how, block_size);
  TRACE("%u: realloc.%u %d: %p, %zu -> %zu align %zu at %zu = %p\n", actor->index, how,
        (int)(b - blocks), (void*)before, b->size, size, align, offset, (void*)p);
  if (b->block_size != 0 && how == 3) CHECK_EQ(block_size[0], b->block_size);
  if (failed(p, asked, size + align)) {
    if (how == 5) {
      gone(b);
    } else {
      verify(b);
    }
    return;
  }
  CHECK(pattern_holds_prefix(p, size < b->size ? size : b->size, b->size, b->seed));
  if (zero && size > b->size) CHECK(is_all_zero(p + b->size, size - b->size));
  CHECK_EQ(((uintptr_t)p + offset) & (align - 1), 0);
  CHECK_CMP(mi_usable_size(p), >=, size);
  if (how == 3) CHECK_CMP(block_size[1], >=, mi_usable_size(p));
  mi_heap_t* in = heap_of(p);
  CHECK(in == asked || (heap == NULL && (in == b->heap || p == before)));
  live = live - b->size + size;
  *b = (block_t){.p = p, .size = size, .zero = zero, .block_size = block_size[1], .heap = in};
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
      if (destroyed && !mi_page_of(b->p)->adopted) gone(b);
    }
  }
}

static mi_heap_t* make_heap(unsigned how) {
  switch (how) {
  case 0: return mi_heap_new_in_arena(arena->id);
  case 1: return mi_heap_new_ex(1, false, arena->id);
  case 2: return mi_heap_new_ex(1, false, 0);
  case 3: return mi_heap_new_ex(1, true, 0);
  case 4: return mi_heap_new_ex(255, false, 0);
  default: return mi_heap_new();
  }
}

static void change_heap(unsigned how) {
  mi_heap_t** heap = &actor->heaps[next_byte() % HEAPS];
  TRACE("%u: heap %d: %u\n", actor->index, (int)(heap - actor->heaps), how);
  if (*heap == NULL) {
    errno = 0;
    mi_heap_t* made = make_heap(how % 8);
    if (!failed(made, NULL, 0)) *heap = made;
    return;
  }
  bool destroyed = how % 4 == 3 && (*heap)->allow_destroy;
  switch (how % 4) {
  case 0: mi_heap_collect(*heap, how >= 128); return;
  case 1:
    mi_heap_set_default(actor->chosen == *heap ? mi_heap_get_backing() : *heap);
    actor->chosen = actor->chosen == *heap ? NULL : *heap;
    return;
  case 2:
    end_blocks_of(*heap, false);
    mi_heap_delete(*heap);
    break;
  default:
    end_blocks_of(*heap, destroyed);
    mi_heap_destroy(*heap);
    break;
  }
  if (actor->chosen == *heap) actor->chosen = NULL;
  *heap = NULL;
}

/* ---- Looking into heaps ---- */

enum { ONLY_LOOK, FREE_IT, FREE_ANOTHER, ALLOCATE, VISITORS };

static unsigned visitor; /* what it does to the blocks it sees */

static void release_at(const void* p) {
  for (int i = 0; i < BLOCKS; i++) {
    if (p != NULL && blocks[i].p == p) release(&blocks[i]);
  }
}

static bool
show(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)arg;
  CHECK(shadow_show(heap, area, block, size, &shadow));
  if (block == NULL || shadow.count == 0) return true;
  switch (visitor) {
  case FREE_IT: {
    shadow_block_t* shown = shadow_find(&shadow, block, size);
    if (shadow.shown % 2 == 0) release_at(shown->p);
    break;
  }
  case FREE_ANOTHER: release_at(shadow.blocks[shadow.shown * 7 % shadow.count].p); break;
  case ALLOCATE: mi_free(mi_malloc(size % MI_MEDIUM_BLOCK_MAX)); break;
  default: break;
  }
  return true;
}

static void expect_blocks(const mi_heap_t* heap) {
  const block_t* lists[] = {blocks, deferred};
  int counts[] = {BLOCKS, DEFERRED};
  for (int list = 0; list < 2; list++) {
    for (const block_t* b = lists[list]; b < lists[list] + counts[list]; b++) {
      if (b->p == NULL) continue;
      mi_page_t* page = mi_page_of(b->p);
      if (atomic_load(&page->heap) != heap) continue;
      shadow_add(&shadow, b->p, b->size);
    }
  }
}

/* What is alive then was shown, and once. */
static void end_visit(void) {
  if (visitor == ONLY_LOOK) shadow_check(&shadow);
  shadow.count = 0;
}

static void start_visit(const mi_heap_t* heap) {
  shadow.count = 0;
  expect_blocks(heap);
  shadow_restart(&shadow);
  shadow.heap = heap;
}

static void visit_heap(void) {
  mi_heap_t* heap = next_heap();
  visitor = next_byte() % VISITORS;
  errno = 0;
  if (heap == NULL) heap = mi_heap_get_backing();
  if (failed(heap, NULL, 0)) return;
  start_visit(heap);
  for (int h = 0; h < HEAPS && heap == &heap->tld->backing; h++) {
    if (actor->heaps[h] != NULL) shadow_add(&shadow, actor->heaps[h], sizeof(mi_heap_t));
  }
  shadow.tag = heap->tag;
  TRACE("%u: visit %p: %zu, %u\n", actor->index, (void*)heap, shadow.count, visitor);
  CHECK(mi_heap_visit_blocks(heap, true, show, NULL));
  for (size_t i = 0; i < shadow.count; i++) {
    if (shadow.blocks[i].p != NULL) CHECK_EQ(shadow.blocks[i].shown, 1);
  }
  end_visit();
}

static void visit_abandoned(void) {
  visitor = next_byte() % VISITORS;
  /* What is abandoned meanwhile may be shown too. */
  if (mi_rare_get(mi_rare_abandon) != 0) visitor = ONLY_LOOK;
  start_visit(NULL);
  shadow.tag = -1;
  TRACE("%u: visit what was abandoned: %zu, %u\n", actor->index, shadow.count, visitor);
  CHECK(mi_abandoned_visit_blocks(NULL, -1, true, show, NULL));
  if (subproc != NULL) CHECK(mi_abandoned_visit_blocks(subproc, -1, true, show, NULL));
  end_visit();
}

/* `is_block`: p may be freed; other pointers into a block are not for mi_heap_contains_block, which would look for a
   header inside of a huge one. */
static void check_owners(const void* p, const mi_heap_t* owner, bool is_block) {
  for (int h = 0; h < HEAPS; h++) {
    mi_heap_t* heap = actor->heaps[h];
    if (heap == NULL) continue;
    if (is_block) CHECK_EQ(mi_heap_contains_block(heap, p), heap == owner);
    CHECK_EQ(mi_heap_check_owned(heap, p), heap == owner);
  }
  mi_heap_t* mine = mi_heap_default; /* not made only to ask it */
  CHECK_EQ(mi_check_owned(p), mi_heap_is_initialized(mine) && mine == owner);
}

static void ask_owner(block_t* b) {
  if (b->p == NULL) return;
  TRACE("%u: who has %d: %p\n", actor->index, (int)(b - blocks), (void*)b->p);
  check_owners(b->p, atomic_load(&mi_page_of(b->p)->heap), true);
  check_owners(b->p + b->size - (b->size > 0), atomic_load(&mi_page_of(b->p)->heap), b->size <= 1);
  CHECK(mi_is_in_heap_region(b->p));
  if (next_byte() % 2 == 0) return;
  void* p = b->p;
  release(b);
  check_owners(p, NULL, true);
}

/* The thread's heaps end with it; blocks in them live on. */
static void forget_heaps(void) {
  actor->chosen = NULL;
  actor->is_apart = false;
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

static void end_subproc(void) {
  for (int a = 0; a < ACTORS; a++) {
    if (actors[a].is_apart) return;
  }
  TRACE("%u: the sub-process ends\n", actor->index);
  mi_subproc_delete(subproc);
  subproc = NULL;
}

/* The thread begins anew in the sub-process. Who is in it may be there to its end. */
static void enter_subproc(void) {
  if (next_byte() % 4 == 0) {
    if (subproc != NULL) end_subproc();
    return;
  }
  TRACE("%u: enters the sub-process\n", actor->index);
  forget_heaps();
  mi_thread_done();
  if (subproc == NULL) subproc = mi_subproc_new();
  CHECK(subproc != NULL);
  actor->is_apart = true;
  mi_subproc_add_current_thread(subproc);
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
  case 10: resize(next_live_block(), kind == 10 ? next_byte() % RESIZE_KINDS : kind - 8); break;
  case 11: {
    block_t* b = next_live_block();
    TRACE("%u: free %d: %p\n", actor->index, (int)(b - blocks), (void*)b->p);
    if (b->p != NULL) release(b);
    break;
  }
  case 12: allocate_many(NULL); break;
  case 13: free_many(); break;
  case 14: expand(next_live_block()); break;
  case 15: impossible(next_byte()); break;
  case 16: put_aside(next_live_block()); break;
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
  case 25: allocate_otherwise(next_block()); break;
  case 26: allocate_many(next_heap()); break;
  case 27: visit_heap(); break;
  case 28: visit_abandoned(); break;
  case 29: ask_owner(next_live_block()); break;
  case 30:
    TRACE("%u: collect_reduce\n", actor->index);
    mi_collect_reduce((size_t)(next_byte() % 4) << MI_SEGMENT_SHIFT);
    break;
  case 31: enter_subproc(); break;
  case 32:
  case 33:
    resize(next_live_block(), RESIZE_ZERO + next_byte() % (RESIZE_KINDS - RESIZE_ZERO));
    break;
  default: return false;
  }
  return true;
}

/* ---- Taking turns ---- */

static unsigned kind; /* of the operation to be done; the turn passes it on */

static bool step(void) {
  bool go_on = operation(kind);
  heaps_check();
  follow_all();
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

enum { END = 24, THE_SYSTEM_FAILS = 34, KINDS = 36 };

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

/* Three slots, so that it is often full. */
static void make_arena(void) {
  mi_arena_id_t id;
  size_t size = 3 * MI_SEGMENT_SIZE;
  uint8_t* p = mmap(NULL, size + MI_SEGMENT_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(p != MAP_FAILED);
  p = (uint8_t*)mi_align_up((uintptr_t)p, MI_SEGMENT_SIZE);
  CHECK(mi_manage_os_memory_ex(p, size, true, false, true, -1, true, &id));
  arena = mi_arena_with_id(id);
}

/* A stream starts with a process as the one before it did. */
static void reset(void) {
  static bool before;
  if (!before) {
    before = true;
    trace = getenv("MIHEAP_TEST_TRACE") != NULL;
    mi_thread_init();
    mi_register_deferred_free(on_deferred, NULL);
    make_arena();
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
  mi_option_set(mi_option_visit_abandoned, 1);
  seeds = 0;
}

static void finish(void) {
  for (int i = 0; i < mi_rare_count_; i++) mi_rare_set((mi_rare_t)i, 0);
  mi_os_fail_from(0);
  kind = END;
  for (int a = ACTORS - 1; a > 0; a--) give_turn(&actors[a]);
  actor = &actors[0];
  forget_heaps();
  mi_thread_done();
  follow_all();
  if (subproc != NULL) end_subproc();
  CHECK(subproc == NULL);
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
    kind = byte % KINDS;
    actor_t* next = &actors[byte / KINDS % ACTORS];
    if (kind >= THE_SYSTEM_FAILS) { /* the system fails during the next operation */
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
