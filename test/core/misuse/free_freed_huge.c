/* A huge block that was freed, and unmapped. */
#include "crime.h"

int main(void) {
  prepare();
  mi_option_set(mi_option_purge_delay, 0);
  void* p = mi_malloc(90000000);
  mi_free(p);
  announce(p);
  mi_free(p);
  return unharmed();
}
