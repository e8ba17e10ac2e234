/* The dynamic linker allocates for itself: libraries opened and closed, symbols that are not there (whose error
   text is a block), by several threads at once. */
#include <dlfcn.h>
#include <pthread.h>

#include "ours.h"
#include "pattern.h"

enum { THREADS = 3, TIMES = 300 };

static void* work(void* arg) {
  for (int i = 0; i < TIMES; i++) {
    char name[64];
    snprintf(name, sizeof(name), "no_such_symbol_%d_of_%d", i, (int)(uintptr_t)arg);
    CHECK_PTR(dlsym(RTLD_DEFAULT, name), ==, NULL);
    void* p = malloc((size_t)i * 100);
    pattern_fill(p, (size_t)i * 100, 1);
    const char* text = dlerror();
    CHECK(text != NULL && strstr(text, name) != NULL);
    CHECK_PTR(dlopen(name, RTLD_NOW), ==, NULL);
    text = dlerror();
    CHECK(text != NULL && strstr(text, name) != NULL);
    CHECK(dlsym(RTLD_DEFAULT, "malloc") != NULL);
    void* library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    CHECK(dlsym(library, "cos") != NULL);
    CHECK_EQ(dlclose(library), 0);
    CHECK(pattern_holds(p, (size_t)i * 100, 1));
    free(p);
  }
  return NULL; /* an error text that is left is freed when the thread ends */
}

int main(void) {
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, work, (void*)i), 0);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return 0;
}
