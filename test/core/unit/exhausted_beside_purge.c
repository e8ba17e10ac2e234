/* Memory that another thread is just giving back to the system is waited for before malloc fails. */
#include <pthread.h>
#include <time.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "segment/purge.h"
#include "segment/segment.h"

enum { SIZE = 24 << 20, IN_ARENA = 40 << 20, ATTEMPTS = 12 };

static _Atomic(bool) held;
static _Atomic(bool) is_last_try;

static void note_last_try(bool force, unsigned long long heartbeat, void* arg) {
  (void)heartbeat;
  (void)arg;
  if (force) atomic_store(&is_last_try, true);
}

/* As a purge does, for a fifth of a millisecond of the last try. */
static void* hold(void* arg) {
  mi_slot_ref_t slot = *(mi_slot_ref_t*)arg;
  bool zero;
  mi_purge_begin();
  CHECK(mi_units_take(slot, ~(uint64_t)0, &zero));
  atomic_store(&held, true);
  while (!atomic_load(&is_last_try)) mi_os_yield(0);
  nanosleep(&(struct timespec){0, 200 * 1000}, NULL);
  mi_units_release(slot, ~(uint64_t)0, 0);
  mi_purge_end();
  return NULL;
}

static _Atomic(void*) handed_over;

/* Frees what it is given, and then purges, also what its owner has not yet taken back. */
static void* free_and_purge(void* arg) {
  for (void* p; (p = atomic_exchange(&handed_over, NULL)) != arg;) {
    if (p == NULL) {
      mi_os_yield(0);
      continue;
    }
    mi_free(p);
    atomic_store(&held, true);
    mi_collect(true);
  }
  return NULL;
}

/* How often malloc has a block that another thread has freed, and is just purging. */
static unsigned found_beside_look(size_t size) {
  unsigned found = 0;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, free_and_purge, &found), 0);
  for (int i = 0; i < ATTEMPTS; i++) {
    void* p = mi_malloc(size);
    if (p != NULL) found++;
    while (p == NULL) p = mi_malloc(size);
    memset(p, 1, size);
    atomic_store(&held, false);
    atomic_store(&handed_over, p);
    while (!atomic_load(&held)) mi_os_yield(0);
    nanosleep(&(struct timespec){0, 200 * 1000}, NULL);
  }
  while (atomic_load(&handed_over) != NULL) mi_os_yield(0);
  atomic_store(&handed_over, &found);
  pthread_join(thread, NULL);
  return found;
}

int main(void) {
  mi_option_set(mi_option_purge_delay, 3600000);
  void* keep = mi_malloc(100); /* in the one slot of the chunk that the others leave */
  void* p = mi_malloc(SIZE);
  mi_slot_ref_t slot = mi_segment_slot(mi_segment_of(p));
  mi_free(p);
  mi_option_set_enabled(mi_option_disallow_os_alloc, true);
  mi_register_deferred_free(note_last_try, NULL);
  unsigned found = 0;
  for (int i = 0; i < ATTEMPTS; i++) {
    pthread_t thread;
    atomic_store(&held, false);
    atomic_store(&is_last_try, false);
    CHECK_EQ(pthread_create(&thread, NULL, hold, &slot), 0);
    while (!atomic_load(&held)) mi_os_yield(0);
    void* again = mi_malloc(SIZE);
    if (again != NULL) found++;
    pthread_join(thread, NULL);
    mi_free(again);
  }
  CHECK_CMP(found, >, ATTEMPTS / 2); /* the other thread may be kept from running */
  CHECK_CMP(found_beside_look(SIZE), >, ATTEMPTS / 2);
  mi_option_set_enabled(mi_option_disallow_os_alloc, false);
  CHECK_EQ(mi_reserve_os_memory_ex(IN_ARENA + (8 << 20), false, false, false, NULL), 0);
  mi_option_set_enabled(mi_option_disallow_os_alloc, true);
  CHECK_CMP(found_beside_look(IN_ARENA), >, ATTEMPTS / 2);
  mi_free(keep);
  memory_check();
  return 0;
}
