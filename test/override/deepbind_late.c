/* miheap comes with a library that is opened, and is not the malloc of the process. That stays so.

   deepbind_late OPENER PLUGIN */
#include <dlfcn.h>

#include "ours.h"

int main(int argc, char** argv) {
  CHECK_EQ(argc, 3);
  void* libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  void* before = dlsym(libc, "malloc");
  void* opener = dlopen(argv[1], RTLD_NOW | RTLD_DEEPBIND);
  if (opener == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(opener != NULL);
  void* (*open_deep)(const char* file);
  *(void**)&open_deep = dlsym(opener, "open_deep");
  CHECK(open_deep(argv[2]) != NULL);
  CHECK_PTR(dlsym(libc, "malloc"), ==, before);
  return 0;
}
