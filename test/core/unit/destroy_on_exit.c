/* At exit nothing of the exiting thread is left; what other threads hold is. */
#include <pthread.h>

#include "child.h"
#include "miheap.h"

static pthread_barrier_t barrier;

static void* hold(void* arg) {
  memset(mi_malloc(10000), 1, 10000);
  pthread_barrier_wait(&barrier);
  for (;;) pause();
  return arg;
}

static int leave(const char* what) {
  if (strcmp(what, "threads") == 0) {
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    CHECK_EQ(pthread_create(&thread, NULL, hold, NULL), 0);
    pthread_barrier_wait(&barrier);
  }
  mi_heap_t* heap = mi_heap_new();
  for (size_t size = 8; size < 20000000; size *= 3) {
    CHECK(mi_malloc(size) != NULL);
    CHECK(mi_heap_malloc(heap, size) != NULL);
  }
  (void)mi_heap_set_default(heap);
  return 0;
}

/* The last column of a row. */
static bool current_is(const char* table, const char* name, const char* value) {
  const char* row = strstr(table, name);
  CHECK(row != NULL);
  size_t length = strcspn(row, "\n");
  return length > strlen(value) && strncmp(row + length - strlen(value), value, strlen(value)) == 0;
}

int main(int argc, char** argv) {
  if (argc > 1) return leave(argv[1]);
  static const char* const environment[] = {"MIHEAP_SHOW_STATS=1", "MIHEAP_DESTROY_ON_EXIT=1",
                                            NULL};
  child_t child;
  child_run(&child, argv[0], "alone", environment);
  CHECK_EQ(child.status, 0);
  CHECK(current_is(child.err, " committed:", " 0.0 B"));
  CHECK(current_is(child.err, " malloc_huge:", " 0.0 B"));
  CHECK(current_is(child.err, " segments:", " 0"));
  CHECK(current_is(child.err, " pages:", " 0"));

  child_run(&child, argv[0], "threads", environment);
  CHECK_EQ(child.status, 0);
  CHECK(current_is(child.err, " malloc_huge:", " 0.0 B"));
  CHECK(current_is(child.err, " segments:", " 1"));

  child_run(&child, argv[0], "alone", (const char* const[]){"MIHEAP_SHOW_STATS=1", NULL});
  CHECK_EQ(child.status, 0);
  CHECK(!current_is(child.err, " malloc_huge:", " 0.0 B"));
  return 0;
}
