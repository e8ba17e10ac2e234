/* What the platform layer does leaves errno alone, also where the system refuses to do it. So do
   malloc and free. */
#include "forbid.h"
#include "os/os.h"

enum { MARK = 7654 };
#define KEEPS_ERRNO(call)  \
  do {                     \
    errno = MARK;          \
    call;                  \
    CHECK_EQ(errno, MARK); \
  } while (0)

static const unsigned calls[] = {
    SYS_madvise,   SYS_mremap,      SYS_mprotect,  SYS_mincore,   SYS_prctl,
    SYS_futex,     SYS_sched_yield, SYS_nanosleep, SYS_getrandom, SYS_clock_gettime,
    SYS_openat,    SYS_faccessat,   SYS_fcntl,     SYS_getrusage, SYS_mbind,
    SYS_getresuid, SYS_getresgid,   SYS_prlimit64, SYS_clone,     SYS_rt_sigprocmask,
};

static void nothing(void) {}
static void ignore(const char* entry, void* arg) { (void)entry, (void)arg; }

static void use_memory(size_t page) {
  size_t size = 4 * page;
  uint8_t* p;
  uint8_t* target;
  unsigned char resident[4];
  KEEPS_ERRNO(p = mi_os_map(size, MI_SEGMENT_SIZE, MI_MAP_MEMORY));
  KEEPS_ERRNO(target = mi_os_map(size, page, MI_MAP_ADDRESSES));
  CHECK(p != NULL && target != NULL);
  KEEPS_ERRNO((void)mi_os_protect(p, size, MI_ACCESS_WRITE));
  KEEPS_ERRNO((void)mi_os_commit(p, size));
  KEEPS_ERRNO(mi_os_populate(p, p + size));
  KEEPS_ERRNO((void)mi_os_resident(p, size, resident));
  KEEPS_ERRNO(mi_os_prefer_large_pages(p, size));
  KEEPS_ERRNO(mi_os_avoid_large_pages(p, size));
  KEEPS_ERRNO(mi_os_split_large_page(p));
  KEEPS_ERRNO((void)mi_os_purge(p, size, false));
  KEEPS_ERRNO((void)mi_os_purge(p, size, true));
  KEEPS_ERRNO((void)mi_os_move_contents(p, size, target));
  KEEPS_ERRNO((void)mi_os_resize(p, size, size));
  bool moved;
  KEEPS_ERRNO(moved = mi_os_move(p, size, target, size));
  KEEPS_ERRNO(mi_os_unmap(target, size));
  if (!moved) KEEPS_ERRNO(mi_os_unmap(p, size));
}

static void use_all(void) {
  mi_process_info_t info;
  _Atomic(uint32_t) word = 0;
  size_t count;
  KEEPS_ERRNO((void)mi_os_page_size());
  use_memory(mi_os_page_size());
  void* huge;
  KEEPS_ERRNO(huge = mi_os_map_huge_pages(1, 0, 0, &count));
  if (huge != NULL) mi_os_unmap(huge, MI_OS_HUGE_PAGE);
  KEEPS_ERRNO((void)mi_os_large_pages());
  KEEPS_ERRNO(mi_os_forbid_large_pages());
  KEEPS_ERRNO((void)mi_os_overcommits());
  KEEPS_ERRNO((void)mi_os_address_limit());
  KEEPS_ERRNO((void)mi_os_numa_nodes());
  KEEPS_ERRNO((void)mi_os_thread_at_exit());
  KEEPS_ERRNO(mi_os_yield(0));
  KEEPS_ERRNO(mi_os_yield(1000));
  KEEPS_ERRNO((void)mi_os_identity());
  KEEPS_ERRNO((void)mi_os_helper_start(nothing));
  KEEPS_ERRNO(mi_os_helper_join());
  KEEPS_ERRNO((void)mi_os_wait(&word, 1, 1));
  KEEPS_ERRNO((void)mi_os_wait(&word, 0, 1));
  KEEPS_ERRNO(mi_os_wake(&word));
  KEEPS_ERRNO((void)mi_os_symbol("no_such_symbol"));
  KEEPS_ERRNO((void)mi_os_library_symbol("no_such_library.so", "no_such_symbol"));
  KEEPS_ERRNO((void)mi_os_now());
  KEEPS_ERRNO((void)mi_os_now_at_start());
  KEEPS_ERRNO((void)mi_os_now_ns());
  KEEPS_ERRNO((void)mi_os_cpu_ns());
  KEEPS_ERRNO(mi_os_keep_stderr());
  KEEPS_ERRNO((void)mi_os_for_each_variable("PATH=", ignore, NULL));
  KEEPS_ERRNO((void)mi_os_random());
  KEEPS_ERRNO(mi_os_process_info(&info));
}

static void write_to_closed_stderr(void) {
  int copy = dup(STDERR_FILENO);
  close(STDERR_FILENO);
  errno = MARK;
  mi_os_write_stderr("", 0);
  int found = errno;
  dup2(copy, STDERR_FILENO);
  CHECK_EQ(found, MARK);
}

/* The first thing that it asks the system for, the system need not have. */
static void allocate(void) {
  size_t size = 2 * MI_CHUNK_SIZE;
  void* p;
  mi_option_set(mi_option_allow_large_os_pages, 1);
  for (int i = 0; i < 2; i++, size = MI_LARGE_BLOCK_MAX) {
    KEEPS_ERRNO(p = mi_malloc(size));
    CHECK(p != NULL);
    KEEPS_ERRNO(mi_free(p));
  }
}

int main(void) {
  alarm(60);
  use_all();
  allocate();
  write_to_closed_stderr();
  forbid(calls, sizeof(calls) / sizeof(calls[0]), EPERM);
  use_all();
  return 0;
}
