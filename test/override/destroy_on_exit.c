/* destroy_on_exit leaves what the C library still needs: what stdio has buffered is written after us. */
#include <unistd.h>

#include "child.h"
#include "miheap.h"

int main(int argc, char** argv) {
  if (argc > 1) {
    for (int i = 0; i < 1000; i++) fputs("0123456789", stdout);
    mi_heap_t* heap = mi_heap_new();
    for (int i = 0; i < 1000; i++) memset(mi_heap_malloc(heap, 10000), 1, 10000);
    return mi_option_is_enabled(mi_option_destroy_on_exit) ? 5 : 6;
  }
  child_t child;
  child_run(&child, argv[0], "exit", (const char* const[]){"MIHEAP_DESTROY_ON_EXIT=1", NULL});
  CHECK_EQ(child.status, 5);
  CHECK_EQ(strlen(child.out), 10000);
  CHECK_STR(child.err, "");
  return 0;
}
