/* The very first allocations of a process, with the system failing: what cannot be had is NULL and ENOMEM, and
   the process is as good as new when the system has memory again. */
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "os/os.h"
#include "os/rare.h"

static void* without_heap(void* arg) {
  (void)arg;
  mi_os_fail_from(1);
  /* The static thread-local data is taken by the first thread; this one needs memory for its own. */
  errno = 0;
  CHECK_PTR(mi_malloc(10), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  errno = 0;
  CHECK_PTR(mi_heap_new(), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  CHECK_PTR(mi_heap_get_default(), ==, NULL);
  CHECK_PTR(mi_heap_get_backing(), ==, NULL);
  CHECK_PTR(mi_heap_set_default(NULL), ==, NULL);
  errno = 0;
  CHECK_PTR(mi_malloc_aligned(10, 64), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  mi_free(NULL);
  mi_collect(true);
  mi_thread_init();
  mi_thread_done();
  mi_os_fail_from(0);
  void* p = mi_malloc(10);
  CHECK(p != NULL);
  mi_free(p);
  return NULL;
}

int main(void) {
  mi_os_fail_from(1);
  errno = 0;
  CHECK_PTR(mi_malloc(10), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  CHECK_EQ(memory_gauges().reserved, 0);
  CHECK_EQ(memory_gauges().segments, 0);
  mi_os_fail_from(0);
  void* p = mi_malloc(10);
  CHECK(p != NULL);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, without_heap, NULL), 0);
  pthread_join(thread, NULL);
  mi_free(p);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  return 0;
}
