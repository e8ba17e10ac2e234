/* Allocates in all ways, by itself and by functions of the C library, and frees what these gave. */
#include <dlfcn.h>
#include <malloc.h>

#include "deepbind.h"
#include "ours.h"

static void allocate(void* blocks[DEEPBIND_BLOCKS]) {
  char* text = NULL;
  free(opaque(strdup("a block of the C library's")));
  CHECK(asprintf(&text, "%d", 12345) == 5);
  text = opaque(realloc(opaque(text), 1000));
  CHECK(strcmp(text, "12345") == 0);
  CHECK_CMP(malloc_usable_size(text), >=, 1000);
  void* aligned = NULL;
  CHECK_EQ(posix_memalign(&aligned, 64, 100), 0);
  void* all[DEEPBIND_BLOCKS] = {
      text,
      aligned,
      opaque(malloc(10)),
      opaque(calloc(10, 10)),
      opaque(realloc(NULL, 10)),
      opaque(reallocarray(NULL, 10, 10)),
      opaque(memalign(64, 10)),
      opaque(aligned_alloc(64, 64)),
      opaque(valloc(10)),
      opaque(pvalloc(10)),
      opaque(strndup("abc", 2)),
      opaque(malloc(10000000)),
  };
  memcpy(blocks, all, sizeof(all));
}

static void release(void* blocks[DEEPBIND_BLOCKS]) {
  for (int i = 0; i < DEEPBIND_BLOCKS; i++) free(blocks[i]);
}

static bool finds_neighbour(void) {
  void* neighbour = dlopen("liboverride_deepbind_neighbour.so", RTLD_NOW);
  return neighbour != NULL && dlclose(neighbour) == 0;
}

const deepbind_plugin_t plugin = {allocate, release, finds_neighbour};
