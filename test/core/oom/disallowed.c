/* disallow_os_alloc: what is there is used, and nothing more is had. */
#include "check.h"
#include "memory.h"
#include "miheap.h"

int main(void) {
  void* p = mi_malloc(100);
  int64_t reserved = memory_gauges().reserved;
  mi_option_enable(mi_option_disallow_os_alloc);
  void* q = mi_malloc(200);
  CHECK(q != NULL);
  errno = 0;
  CHECK_PTR(mi_malloc(40 << 20), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  void* many[100];
  int n = 0;
  while (n < 100 && (many[n] = mi_malloc(2 << 20)) != NULL) n++;
  CHECK_CMP(n, >, 0); /* the rest of the chunk */
  CHECK_CMP(n, <, 100);
  CHECK_EQ(errno, ENOMEM);
  CHECK_EQ(memory_gauges().reserved, reserved);
  while (n > 0) mi_free(many[--n]);
  mi_free(p);
  mi_free(q);
  mi_collect(true);
  memory_check();
  mi_option_disable(mi_option_disallow_os_alloc);
  p = mi_malloc(40 << 20);
  CHECK(p != NULL);
  mi_free(p);
  return 0;
}
