/* A library that is opened with RTLD_DEEPBIND, which would have the C library's own malloc, has ours. What it opens
   itself is looked for where that should be.

   deepbind PLUGIN CONSTRUCTOR */
#include <dlfcn.h>
#include <pthread.h>

#include "deepbind.h"
#include "ours.h"

enum { THREADS = 4 };

static const char* file;
static pthread_barrier_t barrier;

static void* use(void* arg) {
  pthread_barrier_wait(&barrier);
  void* library = dlopen(file, RTLD_NOW | RTLD_DEEPBIND);
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(library != NULL);
  const deepbind_plugin_t* plugin = dlsym(library, "plugin");
  CHECK(plugin != NULL);
  void* blocks[DEEPBIND_BLOCKS];
  plugin->allocate(blocks);
  for (int i = 0; i < DEEPBIND_BLOCKS; i++) {
    CHECK(is_ours(blocks[i]));
    free(blocks[i]);
    blocks[i] = malloc(100);
  }
  plugin->release(blocks);
  CHECK(plugin->finds_neighbour());
  return arg;
}

int main(int argc, char** argv) {
  CHECK_EQ(argc, 3);
  file = argv[1];
  CHECK_PTR(dlopen("no-such-library.so", RTLD_NOW), ==, NULL);
  CHECK(strstr(dlerror(), "no-such-library.so") != NULL);
  pthread_t threads[THREADS];
  pthread_barrier_init(&barrier, NULL, THREADS + 1);
  for (int i = 0; i < THREADS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, use, NULL), 0);
  }
  setenv("TEST_DEEPBIND_PLUGIN", file, 1);
  pthread_barrier_wait(&barrier);
  CHECK(dlopen(argv[2], RTLD_NOW) != NULL);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  CHECK_PTR(dlopen("no-such-library.so", RTLD_NOW | RTLD_DEEPBIND), ==, NULL);
  CHECK(strstr(dlerror(), "no-such-library.so") != NULL);
  return 0;
}
