/* Under a filter that forbids every system call but the plainest, with EPERM and with ENOSYS, as containers and
   sandboxes do: memory is still had, resized, freed, and errno left alone; what the system refuses to do is done
   without. */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "forbid.h"
#include "ours.h"
#include "pattern.h"
#include "random.h"

enum { THREADS = 2, PLACES = 200, STEPS = 20000 };

/* A process may do without these; what the allocator uses of them it uses for better, not for life. */
static const unsigned forbidden[] = {
    SYS_madvise,
    SYS_mremap,
    SYS_mprotect,
    SYS_pkey_mprotect,
    SYS_pkey_alloc,
    SYS_membarrier,
    SYS_mincore,
    SYS_mlock,
    SYS_prctl,
    SYS_sched_yield,
    SYS_getrandom,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_clock_gettime,
    SYS_getrusage,
    SYS_openat,
    SYS_read,
    SYS_fcntl,
    SYS_mbind,
    SYS_set_mempolicy,
    SYS_get_mempolicy,
    SYS_sched_getaffinity,
    SYS_getcpu,
    SYS_sysinfo,
    SYS_brk,
    SYS_tgkill,
    SYS_rt_sigaction,
    SYS_gettid,
#if defined(SYS_open)
    SYS_open,
    SYS_readlink,
    SYS_access,
#endif
};

static _Atomic(char*) handed_over[PLACES];

static void* work(void* arg) {
  random_t rng = {(uintptr_t)arg};
  for (int i = 0; i < STEPS; i++) {
    size_t size = 16 + random_size(&rng);
    errno = 0;
    char* p = random_one_in(&rng, 8) ? aligned_alloc((size_t)1 << random_below(&rng, 20), size)
                                     : malloc(size);
    CHECK(p != NULL);
    memset(p, (int)size & 0x7F, 16);
    if (random_one_in(&rng, 4)) {
      char* resized = realloc(p, size * 2);
      CHECK(resized != NULL);
      for (int k = 0; k < 16; k++) CHECK_EQ(resized[k], (int)size & 0x7F);
      p = resized;
    }
    free(atomic_exchange(&handed_over[random_below(&rng, PLACES)], p));
    CHECK_EQ(errno, 0);
  }
  return NULL;
}

static _Atomic(bool) go;

static void* work_later(void* arg) {
  while (!atomic_load(&go)) {
  }
  return work(arg);
}

/* Huge blocks resized where mremap is refused keep their contents. */
static void resize_huge(void) {
  size_t size = 3000000;
  unsigned char* p = malloc(size);
  pattern_fill(p, size, 1);
  for (int i = 0; i < 6; i++) {
    p = realloc(p, size << (i + 1));
    CHECK(p != NULL);
    CHECK(pattern_holds_prefix(p, PATTERN_WHOLE / 2, size, 1));
  }
  p = realloc(p, 1000);
  CHECK(p != NULL);
  free(p);
}

_Noreturn static void child(unsigned error, char* program) {
  pthread_t threads[THREADS];
  alarm(60);
  /* Before the filter, under which the C library cannot start threads. */
  for (uintptr_t i = 0; i < THREADS; i++) {
    CHECK_EQ(pthread_create(&threads[i], NULL, work_later, (void*)(i + 1)), 0);
  }
  forbid(forbidden, sizeof(forbidden) / sizeof(forbidden[0]), error);
  atomic_store(&go, true);
  work((void*)(uintptr_t)THREADS);
  resize_huge();
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < PLACES; i++) free(atomic_exchange(&handed_over[i], NULL));
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
#if defined(TEST_STATIC) /* the dynamic linker could not load anything */
  execl(program, program, "again", (char*)NULL);
  abort();
#else
  (void)program;
  exit(0);
#endif
}

int main(int argc, char** argv) {
  static const unsigned errors[] = {EPERM, ENOSYS};
  if (argc > 1) { /* started under the filter */
    work((void*)1);
    resize_huge();
    return 0;
  }
  for (int i = 0; i < 2; i++) {
    pid_t pid = fork();
    CHECK_CMP(pid, >=, 0);
    if (pid == 0) child(errors[i], argv[0]);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
  }
  return 0;
}
