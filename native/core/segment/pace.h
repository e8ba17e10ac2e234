/* How long free memory waits before it goes back to the system. Memory that is purged and needed again costs a page
   fault for each of its pages, and a page fault costs from a tenth of a microsecond to 20 us, by the machine (the most
   in some virtual machines). So that is measured, and free memory waits for purge_delay at first; but while what was
   purged is needed again at more than a twentieth of the processor time, and at a larger share of it than what waits has
   of the memory, up to four times as long. All of it is an estimate, and races make it less exact, no more. */
#ifndef MI_PACE_H
#define MI_PACE_H

#include "options/options.h"
#include "os/os.h"

/* Any thread may call all of these. */

/* The delay is purge_delay times this, in eighths. */
enum { MI_PACE_SHORTEST = 8, MI_PACE_LONGEST = 32 };
extern mi_hidden _Atomic(uint32_t) mi_pace_stretch;

/* Milliseconds that free memory waits; 0: it does not. Negative: for ever. */
mi_inline long mi_pace_delay(void) {
  long stretch = (long)atomic_load_explicit(&mi_pace_stretch, memory_order_relaxed);
  return mi_option_get(mi_option_purge_delay) * stretch / MI_PACE_SHORTEST;
}

/* Bytes that were purged within the last second or so, and are not known to have been taken again. May be negative for a
   while, where several threads take some. */
extern mi_hidden _Atomic(int64_t) mi_pace_purged_bytes;

/* So many bytes were purged at `now`. */
void mi_pace_purged(size_t bytes, int64_t now);

/* So many bytes that may have been purged are used again. As it is not known whether they were (untouched memory looks
   the same), no more of them count than were purged just now. */
void mi_pace_taken_again(size_t bytes, int64_t now);
mi_inline void mi_pace_taken(size_t bytes) {
  bool some = atomic_load_explicit(&mi_pace_purged_bytes, memory_order_relaxed) > 0;
  if (mi_unlikely(some)) mi_pace_taken_again(bytes, mi_os_now());
}

/* Now and then: decides anew, where so many bytes wait. cpu_ns is mi_os_cpu_ns. */
void mi_pace_decide(int64_t now, int64_t (*cpu_ns)(void), size_t waiting);

/* Returns how many of `units` may be purged before they have waited for the delay, and counts them as purged so. */
unsigned mi_pace_allow(unsigned units, int64_t now);

/* What a page fault costs, in nanoseconds, as measured within the last second or so. */
uint32_t mi_pace_fault_ns(void);

/* What a page fault costs now, in nanoseconds; 20,000 at most. 0: it cannot be measured. For one thread at a time. */
uint32_t mi_pace_measure(void);

#endif
