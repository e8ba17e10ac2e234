/* Pointers that are not ours: free, realloc and malloc_usable_size report each in one line, change nothing,
   and return what the man page has for failure. */
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ours.h"
#include "pattern.h"

static int said; /* the end of the pipe that stderr goes to */
static int real_stderr;

static void expect(const char* function, void* p) {
  char line[200] = {0};
  char expected[200];
  snprintf(expected, sizeof(expected), "miheap: error: %s: %p is not a block of miheap\n", function,
           p);
  ssize_t length = read(said, line, sizeof(line) - 1);
  if (length < 0 || strcmp(line, expected) != 0) dup2(real_stderr, STDERR_FILENO);
  CHECK_STR(line, expected);
}

static void try_all(void* p) {
  p = opaque(p);
  errno = 0;
  free(p);
  CHECK_EQ(errno, 0);
  expect("free", p);
  CHECK_PTR(realloc(p, 100), ==, NULL);
  CHECK_EQ(errno, EINVAL);
  expect("realloc", p);
  CHECK_EQ(malloc_usable_size(p), 0);
  expect("usable_size", p);
}

static char in_static_memory[64];

/* glibc's own blocks, where glibc can be asked for one. */
static void of_another_allocator(void) {
#if !defined(TEST_STATIC) && defined(__GLIBC__)
  void* libc = dlopen("libc.so.6", RTLD_NOW);
  CHECK(libc != NULL);
  void* (*its_malloc)(size_t);
  void (*its_free)(void*);
  *(void**)&its_malloc = dlsym(libc, "malloc");
  *(void**)&its_free = dlsym(libc, "free");
  CHECK(its_malloc != NULL && its_malloc != malloc);
  for (size_t size = 10; size < 10000000; size *= 10) {
    char* p = its_malloc(size);
    pattern_fill(p, size, size);
    try_all(p);
    CHECK(pattern_holds(p, size, size));
    its_free(p);
  }
  dlclose(libc);
#endif
}

int main(int argc, char** argv) {
  (void)argc;
  if (getenv("MIHEAP_MAX_ERRORS") == NULL) { /* read before main */
    setenv("MIHEAP_MAX_ERRORS", "-1", 1);
    execv("/proc/self/exe", argv);
    abort();
  }
  char on_stack[64];
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char* small = malloc(100);
  char* huge = malloc(5000000);
  pattern_fill(small, 100, 1);
  pattern_fill(huge, 5000000, 2);
  int ends[2];
  CHECK_EQ(pipe2(ends, O_NONBLOCK), 0); /* silence is a failure, not a wait */
  said = ends[0];
  real_stderr = dup(STDERR_FILENO);
  dup2(ends[1], STDERR_FILENO);

  char* mapped = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* guarded = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mapped != MAP_FAILED && guarded != MAP_FAILED);
  try_all(on_stack);
  try_all(in_static_memory);
  try_all(mapped);
  try_all(mapped + page + 16);
  try_all(guarded);
  try_all((void*)(uintptr_t)1);
  try_all((void*)(uintptr_t)4095);
  try_all((void*)((uintptr_t)small | (uintptr_t)1 << 63));
  try_all((void*)UINTPTR_MAX);
  munmap(mapped, 4 * page);
  try_all(mapped);
  of_another_allocator();

  dup2(real_stderr, STDERR_FILENO);
  CHECK(pattern_holds(small, 100, 1));
  CHECK(pattern_holds(huge, 5000000, 2));
  free(small);
  free(huge);
  return 0;
}
