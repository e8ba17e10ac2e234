/* Sub-processes, and visits of what ended threads left. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "os/rare.h"
#include "segment/abandoned.h"
#include "segment/segment.h"
#include "segment/subproc.h"
#include "shadow.h"

static shadow_t shadow;

enum { PER_TAG = 60 };
static const size_t sizes[] = {16, 100, 3000, 30000, 300000, 3000000};

static void fill(mi_heap_t* heap) {
  for (size_t i = 0; i < PER_TAG; i++) {
    size_t size = sizes[i % 6];
    shadow_add(&shadow, mi_heap_malloc(heap, size), size);
  }
}

static void* leave_blocks(void* subproc) {
  mi_subproc_add_current_thread(subproc);
  fill(mi_heap_get_backing());
  fill(mi_heap_new_ex(4, true, 0));
  return NULL;
}

static void ignore(const char* message, void* arg) { (void)message, (void)arg; }

static void run(void* (*fn)(void*), void* arg) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, fn, arg), 0);
  pthread_join(thread, NULL);
}

static void visit(mi_subproc_id_t subproc, int tag) {
  shadow_restart(&shadow);
  shadow.heap = NULL;
  shadow.tag = tag;
  CHECK(mi_abandoned_visit_blocks(subproc, tag, true, shadow_show, &shadow));
}

static void free_all(void) {
  for (size_t i = 0; i < shadow.count; i++) mi_free(shadow.blocks[i].p);
  memset(&shadow, 0, sizeof(shadow));
}

static void* free_some(void* arg) {
  (void)arg;
  for (size_t i = 0; i < shadow.count; i += 4) {
    mi_free(shadow.blocks[i].p);
    shadow.blocks[i].p = NULL;
  }
  return NULL;
}

static void visits_what_is_left(mi_subproc_id_t subproc) {
  mi_collect(true);
  run(leave_blocks, subproc);
  visit(subproc, -1);
  shadow_check(&shadow);
  CHECK_EQ(shadow.shown, 2 * PER_TAG);
  visit(subproc, 0);
  CHECK_EQ(shadow.shown, PER_TAG);
  visit(subproc, 4);
  CHECK_EQ(shadow.shown, PER_TAG);
  visit(subproc, 5);
  CHECK_EQ(shadow.areas, 0);
  /* Freed by a thread that does not adopt. */
  mi_option_disable(mi_option_abandoned_reclaim_on_free);
  run(free_some, NULL);
  visit(subproc, -1);
  shadow_check(&shadow);
  memory_check();
  mi_option_enable(mi_option_abandoned_reclaim_on_free);
  free_all();
  mi_collect(true);
}

static bool stop_at_third(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                          size_t size, void* arg) {
  (void)heap, (void)area, (void)block, (void)size;
  return ++*(int*)arg < 3;
}

/* Frees what it is shown. */
static bool
free_it(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  shadow_show(heap, area, block, size, arg);
  if (block == NULL) return true;
  shadow_block_t* shown = shadow_find(&shadow, block, size);
  mi_free(shown->p);
  shown->p = NULL;
  return true;
}

static void visitors(void) {
  run(leave_blocks, NULL);
  int calls = 0;
  CHECK(!mi_abandoned_visit_blocks(NULL, -1, true, stop_at_third, &calls));
  CHECK_EQ(calls, 3);
  CHECK(!mi_abandoned_visit_blocks(NULL, -1, true, NULL, NULL));
  visit(NULL, -1);
  shadow_check(&shadow);
  shadow_restart(&shadow);
  CHECK(mi_abandoned_visit_blocks(NULL, -1, true, free_it, &shadow));
  CHECK_EQ(shadow_live(&shadow), 0);
  CHECK_EQ(shadow.shown, 2 * PER_TAG);
  CHECK_EQ(memory_gauges().abandoned, 0); /* though no thread adopted them */
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().huge, 0);
  CHECK_EQ(memory_gauges().segments, 0);
  free_all();
}

/* ---- A visit of a sub-process that is deleted ---- */

typedef struct deleted_s {
  mi_subproc_id_t subproc;
  void* blocks[2];
  pthread_barrier_t at;
} deleted_t;

static void* leave_two(void* arg) {
  deleted_t* deleted = arg;
  mi_subproc_add_current_thread(deleted->subproc);
  deleted->blocks[0] = mi_malloc(64);
  deleted->blocks[1] = mi_malloc(5000);
  return NULL;
}

static bool
go_on(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size, void* arg) {
  (void)heap, (void)area, (void)block, (void)size, (void)arg;
  return true;
}

static void* visit_deleted(void* arg) {
  deleted_t* deleted = arg;
  mi_free(mi_malloc(1));
  pthread_barrier_wait(&deleted->at);
  mi_abandoned_visit_blocks(deleted->subproc, -1, true, go_on, NULL); /* if it is there still */
  return NULL;
}

/* What the sub-process left is another's afterwards, also where somebody freed in it, and was kept away. */
static void deleted_meanwhile(void) {
  enum { ROUNDS = 400 / TEST_SLOWNESS };
  static deleted_t deleted;
  mi_option_disable(mi_option_abandoned_reclaim_on_free);
  mi_register_output(ignore, NULL);
  pthread_barrier_init(&deleted.at, NULL, 2);
  for (int round = 0; round < ROUNDS; round++) {
    deleted.subproc = mi_subproc_new();
    run(leave_two, &deleted);
    mi_free(deleted.blocks[0]); /* of another sub-process */
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, visit_deleted, &deleted), 0);
    mi_rare_set(mi_rare_race, 3);
    pthread_barrier_wait(&deleted.at);
    mi_subproc_delete(deleted.subproc);
    pthread_join(thread, NULL);
    mi_rare_set(mi_rare_race, 0);
    mi_free(deleted.blocks[1]);
    mi_collect(true);
    CHECK_EQ(memory_gauges().abandoned, 0);
    CHECK_EQ(memory_gauges().segments, 0);
  }
  pthread_barrier_destroy(&deleted.at);
  mi_register_output(NULL, NULL);
  mi_option_enable(mi_option_abandoned_reclaim_on_free);
}

/* ---- Separation ---- */

static bool adopts; /* what a thread is expected to do */

static void* adopt_all(void* subproc) {
  mi_subproc_add_current_thread(subproc);
  mi_free(mi_malloc(1));
  mi_collect(true);
  for (size_t i = 0; i < shadow.count; i++) {
    if (shadow.blocks[i].p == NULL || shadow.blocks[i].size > MI_LARGE_BLOCK_MAX) continue;
    bool mine = false;
    for (mi_heap_t* heap = mi_heap_get_backing()->tld->heaps; heap != NULL; heap = heap->next) {
      mine = mine || mi_heap_check_owned(heap, shadow.blocks[i].p);
    }
    CHECK_EQ(mine, adopts);
  }
  return NULL;
}

static void* free_one(void* subproc) {
  mi_subproc_add_current_thread(subproc);
  mi_free(mi_malloc(1));
  void* p = shadow.blocks[shadow.count - 6].p;
  mi_free(p);
  shadow.blocks[shadow.count - 6].p = NULL;
  CHECK_EQ(mi_segment_is_mine(mi_segment_find(p)), adopts);
  return NULL;
}

static void separation(void) {
  mi_subproc_id_t one = mi_subproc_new();
  mi_subproc_id_t two = mi_subproc_new();
  CHECK(one != NULL && two != NULL && one != two);
  CHECK_PTR(mi_subproc_main(), !=, NULL);
  CHECK_PTR(mi_subproc_main(), !=, one);
  run(leave_blocks, one);
  visit(one, -1);
  shadow_check(&shadow);
  mi_subproc_id_t others[] = {NULL, two, mi_subproc_main()};
  for (int i = 0; i < 3; i++) {
    visit(others[i], -1);
    CHECK_EQ(shadow.areas, 0);
    adopts = false;
    run(adopt_all, others[i]);
    run(free_one, others[i]);
    memory_check();
    shadow.count -= 6;
    for (size_t k = shadow.count; k < shadow.count + 6; k++) mi_free(shadow.blocks[k].p);
  }
  visit(one, -1);
  shadow_check(&shadow);
  adopts = true;
  run(adopt_all, one);
  run(free_one, one);
  /* That thread has left it all again. */
  visit(one, -1);
  shadow_check(&shadow);
  CHECK_CMP(atomic_load(&((mi_subproc_t*)one)->abandoned), >, 0);
  mi_subproc_delete(one);
  visit(NULL, -1);
  shadow_check(&shadow);
  run(adopt_all, NULL);
  mi_subproc_delete(two);
  free_all();
  /* An id may be used again. */
  mi_subproc_id_t three = mi_subproc_new();
  visits_what_is_left(three);
  mi_subproc_delete(three);
  mi_collect(true);
  memory_check();
}

static void many(void) {
  enum { COUNT = 500 };
  mi_subproc_id_t ids[COUNT];
  for (int i = 0; i < COUNT; i++) {
    ids[i] = mi_subproc_new();
    CHECK(ids[i] != NULL);
    for (int k = 0; k < i; k++) CHECK(ids[i] != ids[k]);
  }
  for (int i = 0; i < COUNT; i++) mi_subproc_delete(ids[i]);
}

/* ---- Bad input ---- */

static int errors;
static void count_error(int err, void* arg) {
  (void)err, (void)arg;
  errors++;
}
static void silent(const char* text, void* arg) { (void)text, (void)arg; }

static pthread_barrier_t staying;
static void* stay(void* subproc) {
  mi_subproc_add_current_thread(subproc);
  mi_subproc_add_current_thread(subproc); /* is there */
  mi_free(mi_malloc(1));
  pthread_barrier_wait(&staying);
  pthread_barrier_wait(&staying);
  return NULL;
}

static void* too_late(void* subproc) {
  void* p = mi_malloc(100);
  mi_subproc_add_current_thread(subproc);
  CHECK_EQ(errors, 1);
  mi_free(p);
  mi_subproc_add_current_thread(subproc); /* it has no blocks any more */
  CHECK_EQ(errors, 1);
  return NULL;
}

static bool visit_again(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size,
                        void* arg) {
  (void)heap, (void)area, (void)block, (void)size, (void)arg;
  CHECK(!mi_abandoned_visit_blocks(NULL, -1, true, visit_again, NULL));
  mi_subproc_delete(arg);
  return false;
}

static void bad_input(void) {
  mi_register_error(count_error, NULL);
  mi_register_output(silent, NULL);
  int local;
  mi_subproc_id_t subproc = mi_subproc_new();
  mi_subproc_id_t gone = mi_subproc_new();
  mi_subproc_delete(gone);
  void* bad[] = {&local, (void*)1, (char*)subproc + 1, gone};
  for (int i = 0; i < 4; i++) {
    errors = 0;
    mi_subproc_delete(bad[i]);
    mi_subproc_add_current_thread(bad[i]);
    CHECK(!mi_abandoned_visit_blocks(bad[i], -1, true, shadow_show, &shadow));
    CHECK_EQ(errors, 3);
  }
  errors = 0;
  mi_subproc_delete(NULL); /* the main one stays */
  mi_subproc_delete(mi_subproc_main());
  CHECK_EQ(errors, 0);
  run(too_late, subproc);
  errors = 0;
  pthread_t thread;
  pthread_barrier_init(&staying, NULL, 2);
  CHECK_EQ(pthread_create(&thread, NULL, stay, subproc), 0);
  pthread_barrier_wait(&staying);
  mi_subproc_delete(subproc);
  CHECK_EQ(errors, 1);
  pthread_barrier_wait(&staying);
  pthread_join(thread, NULL);
  run(leave_blocks, NULL);
  errors = 0;
  CHECK(!mi_abandoned_visit_blocks(NULL, -1, true, visit_again, subproc));
  CHECK_EQ(errors, 2);
  free_all();
  mi_option_disable(mi_option_visit_abandoned);
  CHECK(!mi_abandoned_visit_blocks(NULL, -1, true, visit_again, NULL));
  CHECK_EQ(errors, 3);
  mi_option_enable(mi_option_visit_abandoned);
  mi_subproc_delete(subproc);
  CHECK_EQ(errors, 3);
  mi_register_error(NULL, NULL);
  mi_register_output(NULL, NULL);
}

/* ---- Forked children ---- */

static pthread_barrier_t visiting;

static bool wait_inside(const mi_heap_t* heap, const mi_heap_area_t* area, void* block, size_t size,
                        void* arg) {
  (void)heap, (void)area;
  if (block == NULL || *(size_t*)arg != (size > 1000000)) return true;
  pthread_barrier_wait(&visiting);
  pthread_barrier_wait(&visiting);
  *(size_t*)arg = 2;
  return false;
}

static void* visit_and_wait(void* arg) {
  CHECK(!mi_abandoned_visit_blocks(NULL, -1, true, wait_inside, arg));
  return NULL;
}

/* A thread is in the middle of a visit, and another in a sub-process: in the child they are not
   there. */
static void forked(size_t in_huge, mi_subproc_id_t other) {
  pthread_t visitor, member;
  pthread_barrier_init(&staying, NULL, 2);
  pthread_barrier_init(&visiting, NULL, 2);
  CHECK_EQ(pthread_create(&member, NULL, stay, other), 0);
  pthread_barrier_wait(&staying);
  run(leave_blocks, NULL);
  run(leave_blocks, other);
  CHECK_EQ(pthread_create(&visitor, NULL, visit_and_wait, &in_huge), 0);
  pthread_barrier_wait(&visiting);
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    visit(NULL, -1);
    CHECK_EQ(shadow.shown, 2 * PER_TAG);
    visit(other, -1);
    CHECK_EQ(shadow.shown, 2 * PER_TAG);
    mi_subproc_delete(other);
    visit(NULL, -1);
    shadow_check(&shadow);
    free_all();
    mi_collect(true);
    CHECK_EQ(memory_gauges().huge, 0);
    _exit(0);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  pthread_barrier_wait(&visiting);
  pthread_join(visitor, NULL);
  pthread_barrier_wait(&staying);
  pthread_join(member, NULL);
  visit(NULL, -1);
  CHECK_EQ(shadow.shown, 2 * PER_TAG);
  free_all();
  mi_collect(true);
}

enum { LEFT = 300 };
static void* left[LEFT];
static mi_arena_id_t left_in; /* 0: anywhere */
static size_t left_count;

static void* leave_for_others(void* subproc) {
  mi_subproc_add_current_thread(subproc);
  mi_heap_t* heap = left_in == 0 ? mi_heap_get_backing() : mi_heap_new_in_arena(left_in);
  for (left_count = 0; left_count < LEFT; left_count++) {
    left[left_count] = mi_heap_malloc(heap, 40000);
    if (left[left_count] == NULL) break;
  }
  return NULL;
}

static void free_left(void) {
  while (left_count > 0) mi_free(left[--left_count]);
}

/* What a thread of another sub-process frees comes back at once. */
static void freed_by_others(void) {
  mi_subproc_id_t subproc = mi_subproc_new();
  CHECK_EQ(mi_reserve_os_memory_ex((size_t)8 << 20, true, false, true, &left_in), 0);
  run(leave_for_others, subproc);
  CHECK_CMP(left_count, >, 100);
  mi_heap_t* heap = mi_heap_new_in_arena(left_in);
  CHECK_PTR(mi_heap_malloc(heap, 1000000), ==, NULL);
  CHECK_CMP(memory_gauges().abandoned, >, 0);
  free_left();
  CHECK_EQ(memory_gauges().abandoned, 0);
  CHECK(mi_heap_malloc(heap, 1000000) != NULL);
  mi_heap_destroy(heap);
  left_in = 0;
  mi_subproc_delete(subproc);
  memory_check();
}

static void* delete_subproc(void* subproc) {
  mi_subproc_delete(subproc);
  return NULL;
}

/* Also if the sub-process ends meanwhile. */
static void freed_while_deleted(void) {
  for (int i = 0; i < 100; i++) {
    mi_subproc_id_t subproc = mi_subproc_new();
    run(leave_for_others, subproc);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, delete_subproc, subproc), 0);
    mi_rare_set(mi_rare_race, 3);
    free_left();
    pthread_join(thread, NULL);
    mi_rare_set(mi_rare_race, 0);
    CHECK_EQ(memory_gauges().abandoned, 0);
  }
  memory_check();
}

int main(void) {
  mi_free(mi_malloc(1)); /* who has no heap adopts nothing */
  mi_option_enable(mi_option_visit_abandoned);
  visits_what_is_left(NULL);
  visits_what_is_left(mi_subproc_main());
  visitors();
  separation();
  many();
  bad_input();
  deleted_meanwhile();
  freed_by_others();
  freed_while_deleted();
  mi_subproc_id_t other = mi_subproc_new();
  forked(0, other);
  forked(1, other);
  mi_subproc_delete(other);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  CHECK_EQ(memory_gauges().huge, 0);
  return 0;
}
