/* A C program gets C++ with a plug-in, in which operator new runs out of memory.

   late_cxx PLUGIN */
#include <dlfcn.h>

#include "ours.h"

int main(int argc, char** argv) {
  CHECK_EQ(argc, 2);
  CHECK_PTR(dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD), ==, NULL);
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(library != NULL);
  void* (*run_out)(void);
  *(void**)&run_out = dlsym(library, "run_out");
  CHECK(run_out != NULL);
  void* p = run_out();
  CHECK(is_ours(p));
  free(p);
  CHECK_EQ(dlclose(library), 0);
  return 0;
}
