// As archive.c. Only the C++ library calls operator new.
#include <string>

#include "ours.h"

extern "C" void mi_free(void* p);

int main() {
#if !defined(TEST_NAMES_NOTHING)
  mi_free(nullptr);
#endif
  static std::string text; // destroyed by the library
  text.resize(1000);
  CHECK(is_ours(text.data()));
  return 0;
}
