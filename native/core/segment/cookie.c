#include "segment/cookie.h"

#include <stdatomic.h>

#include "os/os.h"

static uintptr_t process_secret(void) {
  static _Atomic(uintptr_t) secret;
  uintptr_t value = atomic_load_explicit(&secret, memory_order_relaxed);
  if (mi_unlikely(value == 0)) {
    uintptr_t fresh = mi_os_random() | 1;
    /* The first thread to store its value wins, so that all threads see the same one. */
    if (atomic_compare_exchange_strong_explicit(&secret, &value, fresh, memory_order_relaxed,
                                                memory_order_relaxed)) {
      value = fresh;
    }
  }
  return value;
}

uintptr_t mi_segment_cookie(const mi_segment_t* segment) {
  return (uintptr_t)segment ^ process_secret();
}
