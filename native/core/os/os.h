/* The platform contract: all that miheap asks of a system.

   os.c supplies the first section, which is the same everywhere, by means of the mi_prim_ functions
   of os/port.h. The files of one platform, chosen by CMake, supply those and every section marked
   "platform": os/port.h says which file has what.

   Addresses and sizes passed in are multiples of mi_os_page_size(). Any thread may call any
   function at any time, and none allocates from miheap. A comment says where a function is an
   exception. Without exception, errno is left alone. */
#ifndef MI_OS_H
#define MI_OS_H

#include "os/sanitizer.h"
#include "types.h"

/* ---- Memory: os.c ---- */

/* Bytes in a page of the system; a power of two of at least MI_OS_LEAST_PAGE. */
size_t mi_os_page_size(void);

/* Large pages come from a pool, or are ordinary memory that the system put together (on Linux:
   transparent huge pages). Huge pages come from a pool only. */
#define MI_OS_LEAST_PAGE ((size_t)4096)
#define MI_OS_LARGE_PAGE ((size_t)2 << 20)
#define MI_OS_HUGE_PAGE ((size_t)1 << 30)

typedef enum mi_map_e {
  MI_MAP_ADDRESSES, /* most of it will never be touched: the system need not have so much memory */
  MI_MAP_MEMORY,    /* the caller asked for that much: fails if the system knows that it has less */
  MI_MAP_RESERVED,  /* reads as zero, and cannot be written before mi_os_protect allows it, which
                       fails if the system knows that it has less memory */
  MI_MAP_LARGE,     /* in large pages from the pool, which cannot be purged. Fails if the pool has
                       too few. Size and alignment are multiples of MI_OS_LARGE_PAGE */
} mi_map_t;

/* Maps `size` bytes of zeroed memory that can be read and, but for MI_MAP_RESERVED, written. The
   address is a multiple of `align`, a power of two of any size. No memory is resident until
   touched. NULL if there is no room. */
void* mi_os_map(size_t size, size_t align, mi_map_t kind);

/* Unmaps what mi_os_map gave, or a part of it. */
void mi_os_unmap(void* p, size_t size);

/* Maps up to `count` huge pages next to each other, at a multiple of their size; on that NUMA node
   if `numa_node` is not negative and the node has them. Stops at the first page that the system
   does not have, or after `timeout_ms` milliseconds (0: never). *mapped becomes their number. NULL
   if there is none. They cannot be purged. */
mi_cold void* mi_os_map_huge_pages(size_t count, int numa_node, size_t timeout_ms, size_t* mapped);

typedef enum mi_access_e { MI_ACCESS_NONE, MI_ACCESS_READ, MI_ACCESS_WRITE } mi_access_t;

/* What the process may do with memory: nothing, read it, or also write it. The contents stay. May
   fail where the system accounts for memory in advance, or has too many mappings. */
bool mi_os_protect(void* p, size_t size, mi_access_t access);

/* Makes memory writable of which parts are MI_ACCESS_NONE, and the rest is writable. It needs no
   more mappings than there are, so it does not fail; if the system has no memory for its own
   tables, it waits. */
void mi_os_unguard(void* p, size_t size);

/* Must be called before the first use of mapped memory, and before the next use of purged memory.
   May fail where the system accounts for memory in advance. */
bool mi_os_commit(void* p, size_t size);

/* Says that every page that begins between the two addresses, which may be any, will be touched.
   The system may make them resident at once, which costs less than one by one. */
void mi_os_populate(void* from, void* to);

typedef enum mi_purge_e {
  MI_PURGE_FAILED, /* still resident */
  MI_PURGE_ZEROED, /* reads as zero from now on */
  MI_PURGE_RESET,  /* the system takes the pages when it needs them; the contents are undefined */
} mi_purge_result_t;

/* Gives the memory back, not the addresses. `decommit`: resident memory falls at once. */
mi_purge_result_t mi_os_purge(void* p, size_t size, bool decommit);

/* Grows or shrinks a mapping where it is. New bytes are zero. False if the system cannot. */
bool mi_os_resize(void* p, size_t size, size_t new_size);

/* Moves the contents of a mapping to `target`, a mapping of `target_size` bytes that was never
   written, and unmaps p. False if the system cannot: both are as they were. */
bool mi_os_move(void* p, size_t size, void* target, size_t target_size);

/* Moves the contents of a mapping to `target`, a mapping of at least that size that was never
   written. p stays mapped, and reads as zero. False if the system cannot: both are as they were. */
bool mi_os_move_contents(void* p, size_t size, void* target);

/* ---- Memory: platform ---- */

/* Which pages are resident: bit 0 of a byte for each. False if the system does not say, or not all
   of this is mapped. */
mi_cold bool mi_os_resident(void* p, size_t size, unsigned char* pages);

/* Whether all of this is mapped, be it readable or not. True if the system does not say. `p` is the
   start of a system page. */
mi_cold bool mi_os_is_mapped(void* p, size_t size);

/* Where the system puts together large pages. */
typedef enum mi_large_pages_e {
  MI_LARGE_PAGES_UNKNOWN, /* not asked yet */
  MI_LARGE_PAGES_NEVER,   /* or the system does not say */
  MI_LARGE_PAGES_ON_REQUEST,
  MI_LARGE_PAGES_EVERYWHERE, /* but where it is asked for none */
} mi_large_pages_t;
mi_cold mi_large_pages_t mi_os_large_pages(void);

/* Asks for large pages in a mapping, where and when the system can find some. */
void mi_os_prefer_large_pages(void* p, size_t size);

/* Asks for no large pages in a mapping, although the system may make some everywhere. */
void mi_os_avoid_large_pages(void* p, size_t size);

/* If p is the first page of a large page, makes ordinary pages of it, so that each can be purged by
   itself. */
mi_cold void mi_os_split_large_page(void* p);

/* Asks for no large pages in this process, but for those from a pool. */
void mi_os_forbid_large_pages(void);

/* Whether the system promises more memory than it has. If not, it counts what is mapped for
   MI_MAP_ADDRESSES in full. */
bool mi_os_overcommits(void);

/* The most bytes of address space that this process may have for memory like ours; SIZE_MAX: no
   limit. */
size_t mi_os_address_limit(void);

/* NUMA nodes of this machine, at least 1. */
mi_cold size_t mi_os_numa_nodes(void);

/* ---- Threads: platform ---- */

/* An even number that no other living thread has; never 0. Constant for the life of a thread, and
   two instructions at most: free() calls it. A port whose thread pointer is elsewhere changes this
   and mi_os_is_thread_id. */
mi_inline uintptr_t mi_os_thread_id(void) {
#if defined(__x86_64__)
  uintptr_t id;
  __asm__("movq %%fs:0, %0" : "=r"(id));
  return id;
#elif defined(__aarch64__)
  uintptr_t id;
  __asm__("mrs %0, tpidr_el0" : "=r"(id));
  return id;
#else
  return (uintptr_t)__builtin_thread_pointer();
#endif
}

/* Whether the word has the calling thread's id: one instruction less than asking for the id. */
mi_inline bool mi_os_is_thread_id(const _Atomic(uintptr_t)* word) {
#if defined(__GCC_ASM_FLAG_OUTPUTS__) && defined(__x86_64__)
  uintptr_t id;
  bool same;
  __asm__("movq %%fs:0, %0\n\tcmpq %0, %2" : "=&r"(id), "=@cce"(same) : "m"(*word));
  return same;
#else
  return atomic_load_explicit(word, memory_order_relaxed) == mi_os_thread_id();
#endif
}

/* From now on `fn` runs in each ending thread that called mi_os_thread_at_exit. Called once per
   process. */
void mi_os_register_thread_exit(void (*fn)(void));
/* Undoes mi_os_register_thread_exit. Called when the process ends or the library is unloaded. */
void mi_os_unregister_thread_exit(void);

/* Makes the registered function run when the calling thread ends. May allocate. If it is called
   again while the thread is ending, the function runs once more, MI_OS_EXIT_ROUNDS times at most.
   False if the function will certainly not run. A thread that first calls this in the last
   round of its exit handlers gets true, since the system does not tell which round it is. */
bool mi_os_thread_at_exit(void);
/* _POSIX_THREAD_DESTRUCTOR_ITERATIONS. In the last of these rounds ThreadSanitizer ends its view of
   the thread, and nothing that it watches may run later. */
#define MI_OS_EXIT_ROUNDS (MI_OS_TSAN ? 3 : 4)

/* Lets another thread run; `round` counts the calls in one wait and makes them longer. */
void mi_os_yield(unsigned round);

/* Makes mi_os_fence_threads usable in this process and its forked children. Waits for the system,
   some 50 ms, where the process has several threads. False if the system has no such thing. */
bool mi_os_fence_threads_start(void);
/* Between the call and the return, each other thread of the process executes a sequentially
   consistent fence, at any one point of its code. False if that is not so. */
bool mi_os_fence_threads(void);

/* The user and group that the calling thread acts for: real, effective and saved. A helper thread
   has those of the thread that started it, even if that thread's change later. */
enum { MI_OS_IDS = 6 };
typedef struct mi_os_identity_s {
  uint32_t ids[MI_OS_IDS];
} mi_os_identity_t;
mi_os_identity_t mi_os_identity(void);

/* ---- The helper thread: platform ----
   A thread that is not the program's. It gets no signal; exit and pthread_exit do not wait for it,
   and the C library does not count it. Starting it allocates nothing and takes no lock, so it can
   be started in the middle of malloc.

   It has no thread-local memory, not even errno, and must not call the C library. Of this header,
   it may call mi_os_thread_id, mi_os_is_helper, mi_os_helper_number, mi_os_helper_lives_as,
   mi_os_helper_end_if_alone, mi_os_yield, mi_os_wait, mi_os_wake, mi_os_purge, mi_os_unmap,
   mi_os_fence_threads and its start, mi_os_avoid_large_pages and mi_os_split_large_page; and
   mi_os_page_size and what asks for the time, once another thread has called them. */

/* Whether the calling thread is a helper. */
bool mi_os_is_helper(void);
/* The number of the calling thread, which is a helper. No other one has it, not in forked children
   either. It is above 0. */
uint32_t mi_os_helper_number(void);
/* For a helper, now and then: if all threads of the program have ended, but not the process, ends
   it with the exit status of the first one, as it would have without a helper. Only if that one has
   started the helper. */
void mi_os_helper_end_if_alone(void);

/* To be called once, as the process starts. */
void mi_os_helper_prepare(void);
/* Runs `fn` in a helper thread, which ends with it. One thread at a time may call this. False if
   none can be started now: the system refuses, has no such threads, or two of them still run. */
bool mi_os_helper_start(void (*fn)(void));
/* Whether the caller is a child that has its parent's memory (vfork): a helper that it starts ends
   with it, in the middle of anything, and the parent goes on. False, too, if no helper was ever
   started. */
bool mi_os_is_guest(void);
/* Whether a helper is there, which the system may end at any time, though it seldom does. */
bool mi_os_helper_lives(void);
/* The same for the helper with this number. */
bool mi_os_helper_lives_as(uint32_t number);
/* Waits until every helper has ended. */
void mi_os_helper_join(void);
/* To be called in a forked child, which has no helper but those that it has started before this.
   Waits until these have ended. */
void mi_os_helper_forked(void);

/* Waits until the word is woken, if it has this value, for `ms` milliseconds at most. False if the
   time is over; true may mean anything. */
bool mi_os_wait(_Atomic(uint32_t)* word, uint32_t value, int64_t ms);
/* Ends the wait of one thread. */
void mi_os_wake(_Atomic(uint32_t)* word);

/* ---- Libraries: platform ---- */

/* Makes `fn` run when the library that we are part of is unloaded and the process goes on: after
   its destructors, and after the program's last use of it. Called once per process, by a
   constructor that comes before those of the library's other parts. May allocate. */
void mi_os_register_unload(void (*fn)(void));
/* Called by a destructor of ours. True if the function of mi_os_register_unload will run. */
bool mi_os_destructors_run(void);

/* What a name stands for in the process, which need not be what it does inside of this library.
   NULL if it stands for nothing or the system cannot tell, as in a static program. May allocate:
   must not be called inside of malloc. */
mi_cold void* mi_os_symbol(const char* name);
/* What a name stands for in a library, if the process has that; valid as long as it does. NULL, and
   must not be called inside of malloc, like mi_os_symbol. */
mi_cold void* mi_os_library_symbol(const char* library, const char* name);

/* ---- Time: platform ---- */

/* Milliseconds since some fixed time before the process began; never 0, coarse (about 4 ms),
   cheap. */
int64_t mi_os_now(void);

/* Like mi_os_now, but slower and without the C library: for the start of a process, since most
   never ask again. */
int64_t mi_os_now_at_start(void);

/* Nanoseconds since some fixed time. A system call; 0 if it is forbidden. */
int64_t mi_os_now_ns(void);
/* Nanoseconds that all threads of the process have spent on processors. A system call; 0 if it is
   forbidden. */
int64_t mi_os_cpu_ns(void);

/* ---- The process: platform ---- */

/* `fn` runs in a forked child, in the thread that forked. Called once per process. May allocate. */
void mi_os_register_fork_child(void (*fn)(void));

/* Writes to stderr with one call of the system, or not at all; takes no lock of the C library. */
mi_cold void mi_os_write_stderr(const char* text, size_t length);

/* Keeps a way to stderr for when the program has closed it, as many do when they end. */
mi_cold void mi_os_keep_stderr(void);

/* Calls `fn` with each "NAME=value" of the environment that begins with `prefix`; with none in a
   set-user-id program. False as long as the C library has not set up the environment. */
bool mi_os_for_each_variable(const char* prefix, void (*fn)(const char* entry, void* arg),
                             void* arg);

/* Bits that an attacker cannot foretell. */
uintptr_t mi_os_random(void);

/* The same for several words, at most 32 (256 bytes, getrandom(2) gives whole or not at all). False
   if the system has none to give now. */
bool mi_os_random_words(uintptr_t* words, size_t count);

typedef struct mi_process_info_s {
  size_t user_ms;
  size_t system_ms;
  size_t rss;
  size_t peak_rss;
  size_t page_faults;   /* that had to read from a device */
  size_t page_reclaims; /* all others */
} mi_process_info_t;
mi_cold void mi_os_process_info(mi_process_info_t* info);

#endif
