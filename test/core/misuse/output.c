/* The registered output gets the line instead of stderr. */
#include "crime.h"

static char said[200];

static void output(const char* text, void* arg) {
  CHECK_PTR(arg, ==, said);
  strncat(said, text, sizeof(said) - strlen(said) - 1);
}

int main(void) {
  char foreign[64];
  char expected[200];
  prepare();
  mi_register_output(output, said);
  mi_free(foreign);
  snprintf(expected, sizeof(expected), "miheap: error: free: %p is not a block of miheap\n",
           (void*)foreign);
  CHECK_STR(said, expected);
  return unharmed();
}
