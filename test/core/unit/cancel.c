/* malloc and its kin are no points at which a thread can be cancelled: it ends after them, with nothing half done. */
#include <errno.h>
#include <pthread.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "options/report.h"
#include "os/os.h"

static void* work(void* done) {
  pthread_cancel(pthread_self()); /* waits for the next such point */
  mi_heap_t* heap = mi_heap_new();
  for (int i = 0; i < 1000; i++) mi_free(mi_heap_malloc(heap, (size_t)i * 5000));
  for (unsigned round = 0; round < 100; round++) mi_os_yield(round);
  mi_option_set(mi_option_max_errors, 1);
  mi_error(EINVAL, "a line that is meant to be here\n");
  mi_process_info(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
  mi_heap_delete(heap);
  mi_collect(true);
  *(bool*)done = true;
  pthread_testcancel();
  CHECK(false);
  return NULL;
}

int main(void) {
  bool done = false;
  pthread_t thread;
  void* result;
  CHECK_EQ(pthread_create(&thread, NULL, work, &done), 0);
  pthread_join(thread, &result);
  CHECK(done);
  CHECK(result == PTHREAD_CANCELED);
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().segments, 0);
  return 0;
}
