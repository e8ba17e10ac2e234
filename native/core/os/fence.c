#include "os/fence.h"

#include <stdatomic.h>
#include <stdint.h>

#include "os/os.h"

/* Whether all threads can be fenced.

     UNASKED -> WANTED   by the first thread that has a use for it, or as the process starts
     WANTED -> ASKED     by the purger, or then; it stays so if the system has no such fence
     ASKED -> USABLE     by the same
     USABLE -> ASKED     when the system refuses one after all
     ASKED -> WANTED     in a forked child */
enum { UNASKED, WANTED, ASKED, USABLE };
static _Atomic(uint32_t) fence;

static bool fence_changes(uint32_t from, uint32_t to) {
  return atomic_compare_exchange_strong(&fence, &from, to);
}

void mi_fence_want(void) { fence_changes(UNASKED, WANTED); }

bool mi_fence_is_wanted(void) {
  return atomic_load_explicit(&fence, memory_order_relaxed) == WANTED;
}

void mi_fence_prepare(void) {
  if (!fence_changes(WANTED, ASKED)) return;
  if (mi_os_fence_threads_start()) atomic_store(&fence, USABLE);
}

void mi_fence_prepare_early(void) {
  mi_fence_want();
  mi_fence_prepare();
}

bool mi_fence_is_usable(void) { return atomic_load(&fence) == USABLE; }

bool mi_fence_threads(void) {
  if (!mi_fence_is_usable()) return false;
  if (mi_os_fence_threads()) return true;
  /* The process gave up the right to a fence, as by a filter of system calls. */
  fence_changes(USABLE, ASKED);
  return false;
}

void mi_fence_forked(void) { fence_changes(ASKED, WANTED); }
