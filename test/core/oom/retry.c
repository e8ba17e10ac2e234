/* retry_on_oom: an allocation waits for memory that another thread gives back. */
#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "os/rare.h"

/* Lets memory be had again, some time after it was refused. */
static void* relent(void* arg) {
  (void)arg;
  usleep(50000);
  mi_os_fail_from(0);
  return NULL;
}

static void* allocate(void) {
  mi_os_fail_from(1);
  errno = 0;
  return mi_malloc(10 << 20);
}

int main(void) {
  mi_free(mi_malloc(100));
  CHECK_PTR(allocate(), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  mi_option_set(mi_option_retry_on_oom, 20);
  CHECK_PTR(allocate(), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  mi_option_set(mi_option_retry_on_oom, 60000);
  pthread_t thread;
  mi_os_fail_from(1);
  CHECK_EQ(pthread_create(&thread, NULL, relent, NULL), 0);
  void* p = mi_malloc(10 << 20);
  CHECK(p != NULL);
  pthread_join(thread, NULL);
  mi_free(p);
  memory_check();
  return 0;
}
