/* A mistake in the environment is reported by the first process that finds it, and by none that this one
   starts. */
#include "child.h"

int main(int argc, char** argv) {
  if (argc > 1) {
    int left = atoi(argv[1]);
    if (left == 0) return 0;
    char text[8];
    snprintf(text, sizeof(text), "%d", left - 1);
    execl(argv[0], argv[0], text, (char*)NULL);
    return 1;
  }
  child_t child;
  child_run(&child, argv[0], "3",
            (const char* const[]){"MIHEAP_PURGE_DELLAY=5", "MIHEAP_PURGE_DELAY=soon", NULL});
  CHECK_EQ(child.status, 0);
  const char* first = "miheap: warning: MIHEAP_PURGE_DELLAY is not an option: ignored\n";
  const char* second = "miheap: warning: MIHEAP_PURGE_DELAY=\"soon\" is not a number from";
  const char* found = strstr(child.err, first);
  CHECK(found != NULL);
  CHECK(strstr(found + 1, first) == NULL);
  found = strstr(child.err, second);
  CHECK(found != NULL);
  CHECK(strstr(found + 1, second) == NULL);
  return 0;
}
