/* Runs a program that misuses miheap and checks how it ends and what it says.

   expect STATUS PROGRAM [TEXT]   STATUS: the exit code, "abort" or "segv". TEXT: exactly what is on stderr, without
   the line feed at the end; none: nothing is. @ stands for the pointer that the program writes to stdout. */
#include "child.h"

static void put_pointer(char* to, size_t size, const char* text, const char* pointer) {
  size_t used = 0;
  size_t length = strcspn(pointer, "\n");
  for (; *text != 0 && used + length + 2 < size; text++) {
    if (*text == '@') {
      memcpy(to + used, pointer, length);
      used += length;
    } else {
      to[used++] = *text;
    }
  }
  to[used] = 0;
}

int main(int argc, char** argv) {
  CHECK(argc == 3 || argc == 4);
  int status = strcmp(argv[1], "abort") == 0  ? -SIGABRT
               : strcmp(argv[1], "segv") == 0 ? -SIGSEGV
                                              : atoi(argv[1]);
  child_t child;
  child_run(&child, argv[2], NULL, NULL);
  char expected[CHILD_TEXT] = "";
  if (argc == 4) {
    put_pointer(expected, sizeof(expected), argv[3], child.out);
    strcat(expected, "\n");
  }
  CHECK_STR(child.err, expected);
  CHECK_EQ(child.status, status);
  return 0;
}
