#include "platform.h"

#include <cerrno>

#include <windows.h>

namespace miheap {

void PinModule() {
  HMODULE module;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                     reinterpret_cast<LPCWSTR>(&PinModule), &module);
}

// Windows has no preloading.
std::string PreloadedStats() { return {}; }

int Execute(const std::string&, const std::vector<std::string>&, const std::vector<std::string>&) {
  return ENOSYS;
}

} // namespace miheap
