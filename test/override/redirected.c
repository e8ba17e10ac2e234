/* mi_is_redirected tells whether malloc is that of the miheap which is asked.

   redirected               of the miheap that the program is linked with: it is
   redirected LIBRARY 0|1   of the one in LIBRARY, which is opened, it is not, or is */
#include <dlfcn.h>

#include "ours.h"

#if defined(TEST_LINKED)
#include "miheap.h"

int main(void) {
  /* The address of a stub, in a program that is not position-independent. */
  CHECK(opaque((void*)malloc) != NULL);
  CHECK(mi_is_redirected());
  return 0;
}
#else
int main(int argc, char** argv) {
  CHECK_EQ(argc, 3);
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(library != NULL);
  bool (*is_redirected)(void);
  *(void**)&is_redirected = dlsym(library, "mi_is_redirected");
  CHECK(is_redirected != NULL);
  CHECK_EQ(is_redirected(), atoi(argv[2]));
  return 0;
}
#endif
