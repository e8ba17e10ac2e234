#include <miheap.h>

#include <iostream>
#include <memory>
#include <string>

int main() {
  auto text = std::make_unique<std::string>(1000, 'x');
  void* block = mi_zalloc(64);
  std::cout << text->size() << ' ' << (mi_usable_size(block) >= 64) << '\n';
  mi_free(block);
}
