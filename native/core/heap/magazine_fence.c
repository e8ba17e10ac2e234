#include "heap/magazine_fence.h"

#include "os/fence.h"
#include "os/os.h"
#include "os/rare.h"

void mi_magazine_expect_takers(mi_magazine_t* magazine) {
  if (mi_fence_is_usable()) return;
  atomic_store_explicit(&magazine->by_exchange, true, memory_order_relaxed);
  atomic_fetch_add_explicit(&magazine->takers, 1, memory_order_relaxed);
  mi_fence_want();
}

/* When an owner was last made to use exchanges again; 0: never. */
static _Atomic(int64_t) converted_at;

/* Whether all pops without an exchange that began before that are over, or seen to be under
   way. */
static bool is_settled(void) {
  enum { SETTLED_MS = 100 };
  int64_t at = atomic_load(&converted_at);
  return at == 0 || mi_os_now() >= at + SETTLED_MS;
}

/* An owner that did not see `takers` had its fence after it looked; we see that it had taken the
   slot out of use before. */
bool mi_magazines_begin_taking(mi_magazine_t* first, const mi_magazine_t* end) {
  for (mi_magazine_t* magazine = first; magazine != end; magazine = magazine->next) {
    atomic_fetch_add(&magazine->takers, 1);
  }
  mi_race_window();
  return mi_fence_threads();
}

void mi_magazines_end_taking(mi_magazine_t* first, const mi_magazine_t* end) {
  for (mi_magazine_t* magazine = first; magazine != end; magazine = magazine->next) {
    /* Release: an owner that pops without an exchange again sees what was taken. */
    atomic_fetch_sub_explicit(&magazine->takers, 1, memory_order_release);
  }
}

/* Between begin_taking and end_taking, so `takers` is not 0 meanwhile. */
static void set_by_exchange(mi_magazine_t* magazine, bool value) {
  if (atomic_load(&magazine->by_exchange) == value) return;
  /* First: who finds by_exchange set must find the time. */
  if (value) atomic_store(&converted_at, mi_os_now());
  if (atomic_exchange(&magazine->by_exchange, value) == value) return;
  if (value) {
    atomic_fetch_add_explicit(&magazine->takers, 1, memory_order_relaxed);
  } else {
    atomic_fetch_sub_explicit(&magazine->takers, 1, memory_order_relaxed);
  }
}

bool mi_magazine_may_take(mi_magazine_t* magazine, bool fenced) {
  set_by_exchange(magazine, !fenced);
  return fenced || is_settled();
}
