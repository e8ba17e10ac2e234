/* Whatever of the C library hands out memory hands out ours. */
#include <dirent.h>
#include <malloc.h>
#include <unistd.h>

#include "ours.h"

static void take(void* p) {
  p = opaque(p);
  CHECK(is_ours(p));
  free(p);
}

static void by_the_family(void) {
  void* p = NULL;
  take(malloc(100));
  take(malloc(opaque_size(0)));
  take(calloc(10, 10));
  take(realloc(NULL, 100));
  take(realloc(malloc(10), 100000));
  take(realloc(malloc(3000000), 5000000));
  take(reallocarray(NULL, 10, 10));
  take(aligned_alloc(64, 640));
  take(memalign(4096, 100));
  take(valloc(100));
  CHECK_EQ(posix_memalign(&p, 256, 1000), 0);
  CHECK_EQ((uintptr_t)p % 256, 0);
  CHECK_CMP(malloc_usable_size(p), >=, 1000);
  take(p);
}

static void by_the_library(void) {
  char* text = NULL;
  size_t size = 0;
  take(strdup("a copy"));
  take(strndup("a copy", 3));
  take(realpath("/", NULL));
  take(getcwd(NULL, 0));
  CHECK_CMP(asprintf(&text, "%s %d", "a string of some length", 17), ==, 26);
  CHECK_STR(text, "a string of some length 17");
  take(text);

  FILE* f = open_memstream(&text, &size);
  CHECK(f != NULL);
  for (int i = 0; i < 10000; i++) fprintf(f, "%d\n", i);
  fclose(f);
  CHECK(is_ours(text));

  char* line = NULL;
  size_t capacity = 0;
  f = fmemopen(text, size, "r");
  CHECK(f != NULL);
  for (int i = 0; i < 10000; i++) {
    CHECK_CMP(getline(&line, &capacity, f), >, 0);
    CHECK_EQ(atoi(line), i);
  }
  fclose(f);
  take(line);
  free(text);

  struct dirent** names;
  int count = scandir("/", &names, NULL, alphasort);
  CHECK_CMP(count, >, 2);
  for (int i = 0; i < count; i++) take(names[i]);
  take(names);
}

int main(void) {
  by_the_family();
  by_the_library();
  CHECK_EQ(setenv("MIHEAP_TEST_VARIABLE", "value", 1), 0);
  CHECK_STR(getenv("MIHEAP_TEST_VARIABLE"), "value");
  return 0;
}
