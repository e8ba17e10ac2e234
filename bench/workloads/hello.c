/* Allocates next to nothing. The result is its resident memory. */
#include "workload.h"

int main(void) {
  char* text = must(malloc(64));
  strcpy(text, "hello, world");
  puts(text);
  free(text);
  return finish(1);
}
