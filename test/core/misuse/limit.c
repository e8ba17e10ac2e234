/* max_errors limits the lines; the callback hears of every error, and the process goes on. */
#include "crime.h"

static int calls;

static void on_error(int err, void* arg) {
  CHECK_EQ(err, EINVAL);
  CHECK_PTR(arg, ==, &calls);
  calls++;
}

int main(void) {
  char foreign[64];
  prepare();
  mi_option_set(mi_option_max_errors, 2);
  mi_register_error(on_error, &calls);
  announce(foreign);
  for (int i = 0; i < 10; i++) mi_free(foreign);
  CHECK_EQ(calls, 10);
  return unharmed();
}
