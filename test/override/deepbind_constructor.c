/* Opens the plug-in of deepbind.c while it is itself being opened, and so while the dynamic linker's lock is held. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void open_plugin(void) {
  usleep(100 * 1000); /* the other thread is there */
  if (dlopen(getenv("TEST_DEEPBIND_PLUGIN"), RTLD_NOW | RTLD_DEEPBIND) == NULL) abort();
}
