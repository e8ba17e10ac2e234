/* A fork while another thread purges: the child takes back what that thread had in its hands, undisturbed by a purger
   of its own, and does not forget what the round had not come to. */
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "heap/purge.h"
#include "miheap.h"
#include "os/os.h"
#include "os/rare.h"
#include "page/scavenge.h"
#include "segment/purge.h"
#include "segment/purger.h"
#include "segment/segment.h"
#include "segment/units.h"

#define MIB ((size_t)1 << 20)

static _Atomic(int) rounds;

static int64_t count_round(void) {
  atomic_fetch_add(&rounds, 1);
  return 0;
}

static void wait_ms(long ms) {
  struct timespec t = {0, ms * 1000000};
  nanosleep(&t, NULL);
}

int main(void) {
  mi_purger_set_round(count_round);
  mi_option_set(mi_option_purge_delay, 1);
  void* p = mi_malloc(3 * MIB);
  mi_slot_ref_t ref = mi_segment_slot(mi_segment_of(p));
  mi_free(p);
  for (int looks = 0; looks < 2; looks++) {
    wait_ms(50);
    mi_process_purge_due();
  }
  CHECK_EQ(mi_purge_next(), 0);
  mi_option_set(mi_option_purge_delay, 100000);

  /* As a thread leaves it in the middle of a round: what was due in another slot is not announced,
     nor is scavenging. */
  void* beside = mi_malloc(3 * MIB);
  void* q = mi_malloc(3 * MIB);
  mi_slot_t* due_slot = mi_slot_state(mi_segment_slot(mi_segment_of(q)));
  mi_free(q);
  mi_free(beside);
  CHECK(atomic_load(&due_slot->dirty) != 0);
  atomic_store(&due_slot->purge_at, 0);
  CHECK_EQ(mi_scavenge_next(), 0);
  mi_slot_t* slot = mi_slot_state(ref);
  uint64_t units = mi_bits64(10, 20);
  bool zero;
  CHECK(mi_units_take(ref, units, &zero));
  atomic_store(&slot->purge_at, mi_os_now() + 10000);
  mi_purge_begin();

  mi_rare_set(mi_rare_purger, 1);
  pid_t pid = fork();
  CHECK_CMP(pid, >=, 0);
  if (pid == 0) {
    CHECK_EQ(atomic_load(&slot->dirty) & units, units);
    CHECK((atomic_load(&ref.chunk->to_scavenge) >> ref.index & 1) != 0);
    CHECK_CMP(mi_process_purge_due(), !=, 0);
    CHECK_CMP(atomic_load(&due_slot->purge_at), !=, 0);
    CHECK_CMP(mi_scavenge_next(), !=, 0);
    wait_ms(100);
    CHECK_EQ(atomic_load(&rounds), 0);
    _exit(0);
  }
  mi_rare_set(mi_rare_purger, 0);
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
  mi_purge_end();
  mi_units_release(ref, 0, units);
  return 0;
}
