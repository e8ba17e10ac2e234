/* Mappings on Linux. */
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "os/linux.h"
#include "os/port.h"

size_t mi_prim_page_size(void) {
#if defined(__x86_64__)
  return MI_OS_LEAST_PAGE;
#else
  int saved = errno;
  size_t size = getauxval(AT_PAGESZ);
  errno = saved;
  return size >= MI_OS_LEAST_PAGE ? size : MI_OS_LEAST_PAGE;
#endif
}

/* ---- Mapping ---- */

/* The base-2 logarithm of the page size, where mmap wants it. */
#define HUGE_FLAGS(shift) (MAP_HUGETLB | (shift) << MAP_HUGE_SHIFT)

/* Returns an address, or -errno. Sanitizers watch the C library's mmap and munmap. */
static long map(void* at, size_t size, int access, int flags) {
  flags |= MAP_PRIVATE | MAP_ANONYMOUS;
#if MI_LINUX_RAW
  return mi_linux_call(SYS_mmap, (long)at, (long)size, access, flags, -1, 0);
#else
  int saved = errno;
  void* p = mmap(at, size, access, flags, -1, 0);
  long result = p == MAP_FAILED ? -errno : (long)p;
  errno = saved;
  return result;
#endif
}

void* mi_prim_map(size_t size, mi_map_t kind) {
  int flags = 0;
  if (kind == MI_MAP_ADDRESSES) flags |= MAP_NORESERVE;
  if (kind == MI_MAP_LARGE) flags |= HUGE_FLAGS(21);
  long p = map(NULL, size, kind == MI_MAP_RESERVED ? PROT_READ : PROT_READ | PROT_WRITE, flags);
  return mi_linux_failed(p) ? NULL : (void*)p;
}

static bool unmap(void* p, size_t size) {
#if MI_LINUX_RAW
  return mi_linux_call(SYS_munmap, (long)p, (long)size, 0, 0, 0, 0) == 0;
#else
  int saved = errno;
  bool done = munmap(p, size) == 0;
  errno = saved;
  return done;
#endif
}

static bool advise(void* p, size_t size, int advice) {
  return mi_linux_call(SYS_madvise, (long)p, (long)size, advice, 0, 0, 0) == 0;
}

void mi_prim_unmap(void* p, size_t size) {
  /* Unmapping the middle of a mapping makes two of it, of which there may be too many. The
     addresses are lost then, but the memory is not. */
  if (!unmap(p, size)) advise(p, size, MADV_DONTNEED);
}

bool mi_prim_map_huge_page(void* p, int numa_node) {
  int flags = MAP_FIXED | HUGE_FLAGS(30);
  if (mi_linux_failed(map(p, MI_OS_HUGE_PAGE, PROT_READ | PROT_WRITE, flags))) return false;
  enum { PREFERRED = 1, MOST_NODES = 1024, WORD = 8 * sizeof(unsigned long) };
  if (numa_node >= 0 && numa_node < MOST_NODES) {
    /* Before the first touch. If it fails, the page comes from another node. */
    unsigned long nodes[MOST_NODES / WORD] = {0};
    nodes[(unsigned)numa_node / WORD] = 1ul << ((unsigned)numa_node % WORD);
    mi_linux_call(SYS_mbind, (long)p, MI_OS_HUGE_PAGE, PREFERRED, (long)nodes, MOST_NODES, 0);
  }
  return true;
}

/* ---- What is mapped ---- */

/* A private anonymous mapping can be used as soon as it is made. */
bool mi_prim_commit(void* p, size_t size) {
  (void)p;
  (void)size;
  return true;
}

#if !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif
void mi_prim_populate(void* p, size_t size) {
  static _Atomic(bool) is_unknown; /* before Linux 5.14, or forbidden */
  if (atomic_load_explicit(&is_unknown, memory_order_relaxed)) return;
  long result = mi_linux_call(SYS_madvise, (long)p, (long)size, MADV_POPULATE_WRITE, 0, 0, 0);
  if (result == -EINVAL || result == -EPERM || result == -ENOSYS) {
    atomic_store_explicit(&is_unknown, true, memory_order_relaxed);
  }
}

mi_purge_result_t mi_prim_purge(void* p, size_t size, bool decommit) {
#if defined(MADV_FREE)
  if (!decommit && advise(p, size, MADV_FREE)) return MI_PURGE_RESET;
#endif
  return advise(p, size, MADV_DONTNEED) ? MI_PURGE_ZEROED : MI_PURGE_FAILED;
}

/* Returns an address, or -errno. */
static long remap(void* p, size_t size, size_t new_size, int flags, void* target) {
  return mi_linux_call(SYS_mremap, (long)p, (long)size, (long)new_size, flags, (long)target, 0);
}

/* Where the program called madvise for a part, as numpy does, the system has several mappings for
   what we mapped. The last of them can grow alone. */
bool mi_prim_resize(void* p, size_t size, size_t new_size) {
  long result = remap(p, size, new_size, 0, NULL);
  if (result == -EFAULT && new_size > size) {
    size_t page = mi_os_page_size();
    result = remap((uint8_t*)p + size - page, page, new_size - size + page, 0, NULL);
    /* It may have been one without access. */
    if (!mi_linux_failed(result) &&
        !mi_prim_protect((uint8_t*)p + size, new_size - size, MI_ACCESS_WRITE)) {
      unmap((uint8_t*)p + size, new_size - size);
      return false;
    }
  }
  return !mi_linux_failed(result);
}

/* Several mappings are not moved: some kernels unmap the target before they refuse that, and since
   Linux 6.17 they move one after the other, and may stop in between. One mapping could grow, or has
   no room for that (ENOMEM). */
static bool is_one_mapping(void* p, size_t size) {
  size_t more = mi_os_page_size();
  long result = remap(p, size, size + more, 0, NULL);
  if (!mi_linux_failed(result)) remap(p, size + more, size, 0, NULL);
  return !mi_linux_failed(result) || result == -ENOMEM;
}

bool mi_prim_move(void* p, size_t size, void* target, size_t target_size) {
  return is_one_mapping(p, size) &&
         !mi_linux_failed(remap(p, size, target_size, MREMAP_MAYMOVE | MREMAP_FIXED, target));
}

/* Needs Linux 5.7. */
bool mi_prim_move_contents(void* p, size_t size, void* target) {
#if defined(MREMAP_DONTUNMAP)
  return is_one_mapping(p, size) &&
         !mi_linux_failed(
             remap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, target));
#else
  (void)p, (void)size, (void)target;
  return false;
#endif
}

bool mi_prim_protect(void* p, size_t size, mi_access_t access) {
  static const int flags[] = {
      [MI_ACCESS_NONE] = PROT_NONE,
      [MI_ACCESS_READ] = PROT_READ,
      [MI_ACCESS_WRITE] = PROT_READ | PROT_WRITE,
  };
  return mi_linux_call(SYS_mprotect, (long)p, (long)size, flags[access], 0, 0, 0) == 0;
}

bool mi_os_resident(void* p, size_t size, unsigned char* pages) {
  return mi_linux_call(SYS_mincore, (long)p, (long)size, (long)pages, 0, 0, 0) == 0;
}

bool mi_os_is_mapped(void* p, size_t size) {
  /* Does nothing but look at the mappings: see msync(2). */
  return mi_linux_call(SYS_msync, (long)p, (long)size, MS_ASYNC, 0, 0, 0) != -ENOMEM;
}

/* ---- Large pages ---- */

void mi_os_prefer_large_pages(void* p, size_t size) { advise(p, size, MADV_HUGEPAGE); }

void mi_os_avoid_large_pages(void* p, size_t size) { advise(p, size, MADV_NOHUGEPAGE); }

/* Needs Linux 5.4. If a part of a large page is purged without it, the system keeps that memory
   until it is short of some. */
void mi_os_split_large_page(void* p) {
#if defined(MADV_COLD)
  advise(p, MI_OS_LEAST_PAGE, MADV_COLD);
#else
  (void)p;
#endif
}

void mi_os_forbid_large_pages(void) { mi_linux_call(SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0, 0); }
