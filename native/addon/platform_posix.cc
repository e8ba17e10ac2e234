#include "platform.h"

#include <cerrno>
#include <csignal>

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

extern char** environ;

namespace miheap {

namespace {

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

} // namespace

// dlsym finds only a library that is preloaded or linked into the program: the symbols of the
// addon's own core are hidden. Both functions must come from one library, since mi_free frees the
// text.
std::string PreloadedStats() {
  void* const get_json = dlsym(RTLD_DEFAULT, "mi_stats_get_json");
  void* const free_text = dlsym(RTLD_DEFAULT, "mi_free");
  Dl_info owner, other;
  if (get_json == nullptr || free_text == nullptr || dladdr(get_json, &owner) == 0 ||
      dladdr(free_text, &other) == 0 || owner.dli_fbase != other.dli_fbase) {
    return {};
  }
  char* const text = reinterpret_cast<char* (*)(size_t, char*)>(get_json)(0, nullptr);
  if (text == nullptr) return {};
  const std::string result(text);
  reinterpret_cast<void (*)(void*)>(free_text)(text);
  return result;
}

int Execute(const std::string& file, const std::vector<std::string>& arguments,
            const std::vector<std::string>& environment) {
  std::vector<char*> argv = Pointers(arguments);
  std::vector<char*> envp = Pointers(environment);

  // Node marks the standard streams close-on-exec and ignores two signals. The new program needs
  // the streams, and would inherit the ignored signals.
  for (int stream = 0; stream <= 2; stream++) {
    fcntl(stream, F_SETFD, fcntl(stream, F_GETFD) & ~FD_CLOEXEC);
  }
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGXFSZ, SIG_DFL);

  char** const own = environ;
  environ = envp.data();
  execvp(file.c_str(), argv.data());
  const int error = errno;

  environ = own;
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  return error;
}

} // namespace miheap
