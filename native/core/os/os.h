/* The platform contract: all that miheap asks of a system. os.c holds what is the same
   everywhere; exactly one other file of this folder, chosen by CMake, supplies the mi_prim_
   functions.

   Addresses and sizes passed in are multiples of mi_os_page_size() unless a comment says
   otherwise. Any thread may call any of these at any time. None allocates from miheap. Only
   mi_os_map changes errno. */
#ifndef MI_OS_H
#define MI_OS_H

#include "os/sanitizer.h"
#include "types.h"

/* ---- Memory ---- */

/* Bytes in a page of the system; a power of two of at least MI_OS_LEAST_PAGE. */
size_t mi_os_page_size(void);

#define MI_OS_LEAST_PAGE ((size_t)4096)
#define MI_OS_LARGE_PAGE ((size_t)2 << 20)
#define MI_OS_HUGE_PAGE ((size_t)1 << 30)

typedef enum mi_map_e {
  MI_MAP_ADDRESSES, /* most of it will never be touched: the system need not have so much memory */
  MI_MAP_MEMORY,    /* the caller asked for that much: fails if the system knows that it has not */
  MI_MAP_RESERVED, /* reads as zero, and cannot be written before mi_os_protect has made it so: which fails if the
                       system knows that it has not so much */
  MI_MAP_LARGE, /* in large pages, taken from a pool of them: cannot be purged. Fails if the pool
                       has not enough. Size and align are multiples of MI_OS_LARGE_PAGE */
} mi_map_t;

/* Maps `size` bytes of readable, writable (but for MI_MAP_RESERVED), zeroed memory whose address is a multiple of `align`,
   a power of two (of any size). No memory is resident until touched. NULL and ENOMEM if there is
   no room. */
void* mi_os_map(size_t size, size_t align, mi_map_t kind);

/* Returns what mi_os_map gave; also part of it. */
void mi_os_unmap(void* p, size_t size);

/* Up to `count` huge pages next to each other, at a multiple of their size, on a NUMA node if
   `numa_node` is not negative and the system can. Stops at the first that it cannot have, or when
   `timeout_ms` milliseconds are over (0: never). *mapped is how many there are; NULL if none. They
   cannot be purged. */
mi_cold void* mi_os_map_huge_pages(size_t count, int numa_node, size_t timeout_ms, size_t* mapped);

/* NUMA nodes of this machine, at least 1. */
mi_cold size_t mi_os_numa_nodes(void);

/* Moves the contents to `target`, a mapping of at least that size that was never written. p stays mapped,
   and reads as zero. False if the system cannot: both are as they were. */
bool mi_os_move_contents(void* p, size_t size, void* target);

/* Whether the system has large pages, and gives them to those who ask for them alone. */
mi_cold bool mi_os_gives_large_pages(void);

/* Asks for large pages in a mapping where and when the system can find some. */
void mi_os_prefer_large_pages(void* p, size_t size);

typedef enum mi_access_e { MI_ACCESS_NONE, MI_ACCESS_READ, MI_ACCESS_WRITE } mi_access_t;

/* What the process may do with memory: nothing, read it, or also write it. The contents stay. May
   fail where the system accounts for memory in advance, or has too many mappings. */
bool mi_os_protect(void* p, size_t size, mi_access_t access);

/* Gives access back to memory of which parts were taken by MI_ACCESS_NONE, and the rest can be
   written. Does not fail, since it needs no more mappings than there are; is the system out of
   memory for its own tables, it waits. */
void mi_os_unguard(void* p, size_t size);

/* Must be called before the first use of mapped memory, and before the next use of purged
   memory. May fail where the system accounts for memory in advance. */
bool mi_os_commit(void* p, size_t size);

/* All pages that begin between the two will be touched: the system may make them resident at once, which costs less than
   one by one. */
void mi_os_populate(void* from, void* to);

typedef enum mi_purge_e {
  MI_PURGE_FAILED, /* still resident */
  MI_PURGE_ZEROED, /* reads as zero from now on */
  MI_PURGE_RESET,  /* the system takes the pages when it needs them; the contents are undefined */
} mi_purge_t;

/* Gives the memory back, not the addresses. `decommit`: resident memory falls at once. */
mi_purge_t mi_os_purge(void* p, size_t size, bool decommit);

/* Grows or shrinks a mapping where it is. New bytes are zero. False if the system cannot. */
bool mi_os_resize(void* p, size_t size, size_t new_size);

/* Moves the contents of a mapping to `target`, a mapping of `target_size` bytes that was never
   written; p is unmapped by it. False if the system cannot: both are as they were. */
bool mi_os_move(void* p, size_t size, void* target, size_t target_size);

/* Asks for no large pages in a mapping of which little will be touched. */
void mi_os_avoid_large_pages(void* p, size_t size);

/* Of a large page that p is the first page of, the pages become ordinary ones, so that each can be purged by itself. */
mi_cold void mi_os_split_large_page(void* p);

/* Which pages are resident: bit 0 of a byte for each. False if the system does not say, or not all of it is mapped. */
mi_cold bool mi_os_resident(void* p, size_t size, unsigned char* pages);

/* Whether the system promises more memory than it has. If not, it counts what is mapped for MI_MAP_ADDRESSES in full. */
bool mi_os_overcommits(void);

/* The most bytes of address space that this process may have for memory of ours. */
size_t mi_os_address_limit(void);

/* Asks for no transparent huge pages in this process. */
void mi_os_forbid_huge_pages(void);

/* ---- Threads ---- */

/* A number that no other living thread has; never 0. Constant for the life of a thread, and two
   instructions at most: free() calls it. */
mi_inline uintptr_t mi_os_thread_id(void) {
#if defined(__GNUC__) && defined(__x86_64__)
  uintptr_t id;
  __asm__("movq %%fs:0, %0" : "=r"(id));
  return id;
#elif defined(__GNUC__) && defined(__aarch64__)
  uintptr_t id;
  __asm__("mrs %0, tpidr_el0" : "=r"(id));
  return id;
#else
  return (uintptr_t)__builtin_thread_pointer();
#endif
}

/* Whether the word has the calling thread's id: one instruction less than asking for it. */
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
   process, and undone when the library is unloaded. */
void mi_os_register_thread_exit(void (*fn)(void));
void mi_os_unregister_thread_exit(void);

/* Has `fn` run when the calling thread ends. May allocate. Called again by what runs while the
   thread is ending, it has `fn` run once more, MI_OS_EXIT_ROUNDS times at most. False if `fn`
   will certainly not run: whether a thread is already in the last round of its exit handlers
   when it calls this for the first time, nobody can say. */
bool mi_os_thread_at_exit(void);
/* _POSIX_THREAD_DESTRUCTOR_ITERATIONS; in the last one ThreadSanitizer takes its leave, and nothing that it looks at may
   run after it. */
#define MI_OS_EXIT_ROUNDS (MI_OS_TSAN ? 3 : 4)

/* Has `fn` run when the library that we are part of is unloaded and the process goes on: after its
   destructors, and after the program's last use of it. Called once per process, by a constructor
   that comes before those of the library's other parts. mi_os_destructors_run is called by a
   destructor of ours; true if `fn` will run. */
void mi_os_register_unload(void (*fn)(void));
bool mi_os_destructors_run(void);

/* What a name stands for in the process, which need not be what it does inside of this library. NULL: nothing, or
   nobody can tell, as in a static program. Not inside of malloc. */
mi_cold void* mi_os_symbol(const char* name);
/* The same in a library, if the process has it, and as long as it does. */
mi_cold void* mi_os_library_symbol(const char* library, const char* name);

/* `fn` runs in a forked child, in the thread that forked. Called once per process. */
void mi_os_register_fork_child(void (*fn)(void));

/* Lets another thread run; `round` counts the calls in one wait and makes them longer. */
void mi_os_yield(unsigned round);

/* ---- The helper thread ----
   One that is none of the program's: it gets no signal, nothing waits for it, neither at exit nor in
   pthread_exit, and the C library does not count it. Starting it allocates nothing and takes no lock,
   so that may happen in the middle of malloc. `fn` may call of this file only what asks for the time, mi_os_purge,
   mi_os_unmap, mi_os_avoid_large_pages, mi_os_split_large_page, mi_os_wait and mi_os_wake; nothing that
   is thread-local, or of the C library, is there. */

/* The user and group that the calling thread acts for: real, effective and saved. A helper has those of the
   thread that started it, whatever becomes of that. */
enum { MI_OS_IDS = 6 };
typedef struct mi_os_identity_s {
  uint32_t ids[MI_OS_IDS];
} mi_os_identity_t;
mi_os_identity_t mi_os_identity(void);

/* Whether the calling thread is a helper. */
bool mi_os_is_helper(void);

/* Runs `fn` in a helper thread, which ends with it. False if there can be none now: the system refuses,
   or has no such threads. */
bool mi_os_helper_start(void (*fn)(void));
/* Waits until every `fn` that was started is over. */
void mi_os_helper_join(void);
/* In a forked child: there is no helper. */
void mi_os_helper_forked(void);

/* Waits until the word is woken, if it has this value, for at most so many milliseconds. False if the
   time is over; true may mean anything. */
bool mi_os_wait(_Atomic(uint32_t)* word, uint32_t value, int64_t ms);
/* Ends the wait of one thread. */
void mi_os_wake(_Atomic(uint32_t)* word);

/* ---- The rest ---- */

/* Milliseconds since some fixed time before the process began; never 0, coarse (about 4 ms),
   cheap. */
int64_t mi_os_now(void);

/* The same, slower, but without the C library: for the start of a process, where most ask never
   again. */
int64_t mi_os_now_at_start(void);

/* Nanoseconds: since some fixed time; that all threads of the process have spent on processors. Both are system calls; 0
   if that is forbidden. */
int64_t mi_os_now_ns(void);
int64_t mi_os_cpu_ns(void);

/* Writes to stderr, whole or not at all; never blocks on a lock of the C library. */
mi_cold void mi_os_write_stderr(const char* text, size_t length);

/* Keeps a way to stderr for when the program has closed it, as many do when they end. */
mi_cold void mi_os_keep_stderr(void);

/* Calls `fn` with each "NAME=value" of the environment that begins with `prefix`; with none in
   set-user-id programs. False as long as the C library has not set up the environment. */
bool mi_os_for_each_variable(const char* prefix, void (*fn)(const char* entry, void* arg),
                             void* arg);

/* Bits that an attacker cannot foretell. */
uintptr_t mi_os_random(void);

typedef struct mi_process_info_s {
  size_t user_ms;
  size_t system_ms;
  size_t rss;
  size_t peak_rss;
  size_t page_faults;   /* those that read from a device */
  size_t page_reclaims; /* those that did not */
} mi_process_info_t;
mi_cold void mi_os_process_info(mi_process_info_t* info);

/* ---- Supplied by the platform file; only os.c calls these ---- */

void* mi_prim_map(size_t size, mi_map_t kind); /* NULL on failure */
void mi_prim_unmap(void* p, size_t size);      /* any sub-range of a mapping */
size_t mi_prim_page_size(void);
bool mi_prim_commit(void* p, size_t size);
mi_purge_t mi_prim_purge(void* p, size_t size, bool decommit);
void mi_prim_populate(void* p, size_t size);
bool mi_prim_resize(void* p, size_t size, size_t new_size);
bool mi_prim_move(void* p, size_t size, void* target, size_t target_size);
bool mi_prim_move_contents(void* p, size_t size, void* target);
bool mi_prim_protect(void* p, size_t size, mi_access_t access);
/* Puts a huge page in the place of what is mapped at p. */
mi_cold bool mi_prim_map_huge_page(void* p, int numa_node);

#endif
