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

void PinModule() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&PinModule), &info) != 0) {
    (void)dlopen(info.dli_fname, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
  }
}

int Execute(const std::string& file, const std::vector<std::string>& arguments,
            const std::vector<std::string>& environment) {
  std::vector<char*> argv = Pointers(arguments);
  std::vector<char*> envp = Pointers(environment);

  // Node marks the standard streams to be closed by an exec; it ignores SIGPIPE and blocks some
  // signals, and both would outlive one.
  for (int stream = 0; stream <= 2; stream++) {
    fcntl(stream, F_SETFD, fcntl(stream, F_GETFD) & ~FD_CLOEXEC);
  }
  struct sigaction by_default = {};
  struct sigaction before = {};
  by_default.sa_handler = SIG_DFL;
  sigaction(SIGPIPE, &by_default, &before);
  sigset_t none;
  sigset_t mask;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, &mask);

  char** const own = environ;
  environ = envp.data();
  execvp(file.c_str(), argv.data());
  const int error = errno;

  environ = own;
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  sigaction(SIGPIPE, &before, nullptr);
  return error;
}

} // namespace miheap
