/* Programs that do not name malloc, linked with the archive: one uses miheap's own functions, one (TEST_NAMES_NOTHING)
   nothing of miheap at all. What the C library hands out is ours in both. */
#include "ours.h"

#if defined(TEST_NAMES_NOTHING)
static void give_back(void* p) { (void)p; }
#else
#include "miheap.h"

static void give_back(void* p) { mi_free(p); }
#endif

int main(void) {
  char* copy = opaque(strdup("a copy"));
  CHECK(is_ours(copy));
  give_back(copy);

  FILE* f = fopen("/proc/self/maps", "r");
  CHECK(f != NULL);
  char* line = NULL;
  size_t capacity = 0;
  CHECK_CMP(getline(&line, &capacity, f), >, 0);
  fclose(f);
  CHECK(is_ours(line));
  give_back(line);
  return 0;
}
