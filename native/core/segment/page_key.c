#include "segment/page_key.h"

#if MI_HARDENED
#include "os/os.h"

/* One call of the system brings keys for many pages: a block above 32 KiB has a page to itself, and
   would otherwise take half of its time to get a key. 0: taken. */
enum { COUNT = 32 };
static _Atomic(uintptr_t) ready[COUNT];

uintptr_t mi_page_key_new(void) {
  static _Atomic(unsigned) last;
  unsigned place = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) % COUNT;
  uintptr_t key = atomic_exchange_explicit(&ready[place], 0, memory_order_relaxed);
  if (key != 0) return key;
  uintptr_t fresh[COUNT];
  if (!mi_os_random_words(fresh, COUNT)) return mi_os_random();
  /* Another thread may do the same; each key is still taken once. */
  for (unsigned i = 0; i < COUNT; i++) {
    if (i != place) atomic_store_explicit(&ready[i], fresh[i], memory_order_relaxed);
  }
  return fresh[place];
}

void mi_page_keys_forked(void) {
  for (unsigned i = 0; i < COUNT; i++) atomic_store_explicit(&ready[i], 0, memory_order_relaxed);
}
#endif
