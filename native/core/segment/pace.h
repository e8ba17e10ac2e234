/* How long free memory waits before it goes back to the system. Memory that is purged and needed
   again costs a page fault for each of its pages. A page fault costs from a tenth of a microsecond
   to 20 us, by the machine (the most in some virtual machines), so its cost is measured. At first
   free memory waits for purge_delay. The delay grows, to four times that at most, while bringing
   purged memory back takes more than a tenth of the processor time; or more than a twentieth, and a
   larger share than the waiting memory has of all committed memory. In a process that has become
   quiet it is purge_delay again. All of it is an estimate, and races only make it less exact.

   Any thread may call these functions, unless a comment says otherwise. */
#ifndef MI_PACE_H
#define MI_PACE_H

#include "options/options.h"
#include "os/os.h"

/* The delay is purge_delay times so many eighths. */
enum { MI_PACE_SHORTEST = 8, MI_PACE_LONGEST = 32 };
extern mi_hidden _Atomic(uint32_t) mi_pace_stretch;

/* Milliseconds that free memory waits; 0: it is purged at once; negative: it waits for ever. */
mi_inline long mi_pace_delay(void) {
  long stretch = (long)atomic_load_explicit(&mi_pace_stretch, memory_order_relaxed);
  return mi_option_get(mi_option_purge_delay) * stretch / MI_PACE_SHORTEST;
}

/* Bytes that were purged within the last second or so, and are not known to have been taken again.
   May be negative for a while, when several threads take some. */
extern mi_hidden _Atomic(int64_t) mi_pace_purged_bytes;

/* Says that `bytes` were purged at `now`. */
void mi_pace_purged(size_t bytes, int64_t now);

/* Says that `bytes` of memory that may have been purged are used again. Whether it was purged is
   not known, since untouched memory looks alike; so no more bytes count than were purged within the
   last second or so. */
void mi_pace_taken_again(size_t bytes, int64_t now);
mi_inline void mi_pace_taken(size_t bytes) {
  bool some = atomic_load_explicit(&mi_pace_purged_bytes, memory_order_relaxed) > 0;
  if (mi_unlikely(some)) mi_pace_taken_again(bytes, mi_os_now());
}

/* Decides anew about the delay; does so every 50 ms at most. `waiting`: bytes that wait to be
   purged. `cpu_ns`: mi_os_cpu_ns; tests pass another. */
void mi_pace_decide(int64_t now, int64_t (*cpu_ns)(void), size_t waiting);

/* Returns how many of `units` may be purged before they have waited for the delay, and charges them
   to the allowance. */
unsigned mi_pace_allow(unsigned units, int64_t now);

/* What a page fault costs, in nanoseconds, measured within the last second or so. */
uint32_t mi_pace_fault_ns(void);

/* Measures what a page fault costs now, in nanoseconds; 20,000 at most. 0: it cannot be measured,
   since system pages are above 16 KiB. For one thread at a time. */
uint32_t mi_pace_measure(void);

#endif
