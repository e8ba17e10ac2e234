/* Threads on Linux: their end, their identity, waiting for one another, and fencing all of them. */
#include <pthread.h>
#include <time.h>

#include "os/linux.h"
#include "os/rare.h"

static pthread_key_t exit_key;
static void (*volatile exit_fn)(void); /* NULL: there is no key */

static void at_thread_exit(void* value) {
  (void)value;
  void (*fn)(void) = exit_fn;
  if (fn != NULL) fn();
}

void mi_os_register_thread_exit(void (*fn)(void)) {
  if (pthread_key_create(&exit_key, at_thread_exit) == 0) exit_fn = fn;
}

void mi_os_unregister_thread_exit(void) {
  if (exit_fn == NULL) return;
  exit_fn = NULL; /* first: the key's number may soon be used again */
  pthread_key_delete(exit_key);
}

bool mi_os_thread_at_exit(void) {
  if (exit_fn == NULL) return false;
  /* May allocate, and fail to. Any value but NULL makes the destructor run. */
  int saved = errno;
  bool done = pthread_setspecific(exit_key, &exit_key) == 0;
  errno = saved;
  return done;
}

mi_os_identity_t mi_os_identity(void) {
  mi_os_identity_t who = {{0}};
  _Static_assert(sizeof(uid_t) == sizeof(who.ids[0]) && sizeof(gid_t) == sizeof(who.ids[0]), "");
  uint32_t* ids = who.ids;
#if MI_LINUX_RAW /* the C library's may be replaced: this is asked for in the middle of free */
  mi_linux_call(SYS_getresuid, (long)&ids[0], (long)&ids[1], (long)&ids[2], 0, 0, 0);
  mi_linux_call(SYS_getresgid, (long)&ids[3], (long)&ids[4], (long)&ids[5], 0, 0, 0);
#else
  (void)getresuid(&ids[0], &ids[1], &ids[2]);
  (void)getresgid(&ids[3], &ids[4], &ids[5]);
#endif
  return who;
}

/* membarrier(2), Linux 4.14. Named here, since older system headers lack the names. */
enum { PRIVATE_EXPEDITED = 1 << 3, REGISTER_PRIVATE_EXPEDITED = 1 << 4 };

bool mi_os_fence_threads_start(void) {
  if (mi_os_fault()) return false;
  return mi_linux_call(SYS_membarrier, REGISTER_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0) == 0;
}

mi_cold bool mi_os_fence_threads(void) {
  if (mi_os_fault()) return false;
  return mi_linux_call(SYS_membarrier, PRIVATE_EXPEDITED, 0, 0, 0, 0, 0) == 0;
}

void mi_os_yield(unsigned round) {
  if (round < 64) {
    mi_linux_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
  } else {
    /* The thread waited for may have a lower real-time priority, and a yield never lets it run. */
    struct timespec pause = {0, 50 * 1000};
    mi_linux_call(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
  }
}
