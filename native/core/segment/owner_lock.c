#include "segment/owner_lock.h"

#include "options/report.h"
#include "os/fence.h"
#include "os/os.h"
#include "os/rare.h"
#include "segment/memory.h"

/* Locks in one piece. The first ones are static: most programs need no others. */
enum { FEW = 4, MANY = 63 };
typedef struct group_s {
  mi_owner_lock_t locks[MANY];
  struct group_s* next;
} group_t;

static mi_owner_lock_t few[FEW];
static _Atomic(group_t*) groups;

static bool take(mi_owner_lock_t* lock) {
  if (atomic_load_explicit(&lock->taken, memory_order_relaxed)) return false;
  /* Acquire: pairs with the release in mi_owner_lock_end. */
  return !atomic_exchange_explicit(&lock->taken, true, memory_order_acquire);
}

/* Acquire: pairs with the release in lock_from_groups. */
static group_t* first_group(void) { return atomic_load_explicit(&groups, memory_order_acquire); }

static mi_noinline mi_owner_lock_t* lock_from_groups(void) {
  for (group_t* group = first_group(); group != NULL; group = group->next) {
    for (int i = 0; i < MANY; i++) {
      if (take(&group->locks[i])) return &group->locks[i];
    }
  }
  group_t* group = mi_memory_map(sizeof(*group), MI_WORD_SIZE, MI_MAP_MEMORY);
  if (group == NULL) return NULL;
  atomic_store_explicit(&group->locks[0].taken, true, memory_order_relaxed);
  group->next = atomic_load_explicit(&groups, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(&groups, &group->next, group, memory_order_release,
                                                memory_order_relaxed)) {
  }
  return &group->locks[0];
}

mi_owner_lock_t* mi_owner_lock_begin(void) {
  for (int i = 0; i < FEW; i++) {
    if (take(&few[i])) return &few[i];
  }
  return lock_from_groups();
}

void mi_owner_lock_end(mi_owner_lock_t* lock) {
  atomic_store_explicit(&lock->seen_inside, 0, memory_order_relaxed);
  /* Release: as in mi_owner_leave. */
  atomic_store_explicit(&lock->inside, 0, memory_order_release);
  atomic_store_explicit(&lock->taken, false, memory_order_release);
}

/* Whether that purger is lost. The system can only end a thread in a system call: here that is a
   fence, before the purger has touched any list. */
static bool is_lost(uint32_t purger) { return purger != 0 && !mi_os_helper_lives_as(purger); }

void mi_owner_lock_wait(mi_owner_lock_t* lock) {
  enum { LONG = 100 };
  uint32_t purger;
  unsigned round = 0;
  while ((purger = atomic_load_explicit(&lock->purger, memory_order_acquire)) != 0) {
    mi_os_yield(round++);
    if (mi_unlikely(round > LONG && is_lost(purger))) {
      atomic_compare_exchange_strong(&lock->purger, &purger, 0);
    }
  }
}

/* Takes the place of the purger, also from one that is lost. */
static bool claim(mi_owner_lock_t* lock) {
  uint32_t purger = atomic_load_explicit(&lock->purger, memory_order_relaxed);
  if (purger != 0 && !is_lost(purger)) return false; /* another one, in its last round */
  return atomic_compare_exchange_strong(&lock->purger, &purger, mi_os_helper_number());
}

/* The owner was found inside: what to do about that. */
static mi_owner_try_t note_inside(mi_owner_lock_t* lock, uint32_t inside) {
  enum { LONG_MS = 1000 };
  uint32_t now = (uint32_t)mi_os_now();
  if (atomic_load_explicit(&lock->seen_inside, memory_order_relaxed) != inside) {
    atomic_store_explicit(&lock->seen_inside, inside, memory_order_relaxed);
    atomic_store_explicit(&lock->seen_since, now, memory_order_relaxed);
  }
  uint32_t since = atomic_load_explicit(&lock->seen_since, memory_order_relaxed);
  return now - since < LONG_MS ? MI_OWNER_LATER : MI_OWNER_GIVEN_UP;
}

mi_owner_try_t mi_owner_try_lock(mi_owner_lock_t* lock) {
  mi_assert(mi_os_is_helper());
  if (!mi_fence_is_usable()) return MI_OWNER_GIVEN_UP;
  uint32_t inside = atomic_load_explicit(&lock->inside, memory_order_relaxed);
  if ((inside & MI_OWNER_CALLS) != 0) return note_inside(lock, inside);
  if (!claim(lock)) return MI_OWNER_LATER;
  mi_race_window();
  /* An owner that did not see `purger` had its fence after it looked; we see it inside. */
  bool fenced = mi_fence_threads();
  inside = atomic_load_explicit(&lock->inside, memory_order_acquire);
  if (fenced && (inside & MI_OWNER_CALLS) == 0) return MI_OWNER_LOCKED;
  mi_owner_unlock(lock);
  return fenced ? note_inside(lock, inside) : MI_OWNER_GIVEN_UP;
}

void mi_owner_unlock(mi_owner_lock_t* lock) {
  atomic_store_explicit(&lock->purger, 0, memory_order_release);
}

static void forget(mi_owner_lock_t* lock, const mi_owner_lock_t* mine) {
  atomic_store_explicit(&lock->purger, 0, memory_order_relaxed);
  if (lock != mine) mi_owner_lock_end(lock);
}

void mi_owner_locks_forked(const mi_owner_lock_t* mine) {
  for (int i = 0; i < FEW; i++) forget(&few[i], mine);
  for (group_t* group = first_group(); group != NULL; group = group->next) {
    for (int i = 0; i < MANY; i++) forget(&group->locks[i], mine);
  }
}

void mi_owner_locks_unmap(void) {
  group_t* group = atomic_exchange_explicit(&groups, NULL, memory_order_acquire);
  while (group != NULL) {
    group_t* next = group->next;
    mi_memory_unmap(group, sizeof(*group));
    group = next;
  }
}
