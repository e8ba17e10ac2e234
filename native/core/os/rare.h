/* Switches for tests: each forces a path that programs take rarely, at every n-th occasion, so that
   a bug there does not wait for chance. Only builds with MI_TEST_FAULTS, which add rare.c, have
   them; in others each question is a constant.

   MIHEAP_TEST_RARE="collect=1,extend=3" sets them before main. */
#ifndef MI_RARE_H
#define MI_RARE_H

#include "os/os.h"

/* RARE(name, what every n-th occasion does) */
#define MI_RARE_SWITCHES(RARE)                                                        \
  RARE(collect, "a slow path first collects its heap by force")                       \
  RARE(abandon, "after a free, a thread with one heap abandons all it has")           \
  RARE(reclaim, "a fresh page is looked for among abandoned segments first")          \
  RARE(communal, "a large block is taken from what all threads share")                \
  RARE(extend, "a page lays out one block only")                                      \
  RARE(magazine, "a heap has a magazine from its first page on")                      \
  RARE(large_page, "the system seems to have large pages, and faults to be dear")     \
  RARE(retire, "a page that becomes empty is given back at once")                     \
  RARE(purge, "dirty memory is purged when it is released, huge blocks are unmapped") \
  RARE(slot, "a new chunk has one slot, as where addresses are short")                \
  RARE(purger, "the purger starts however little waits to be purged")                 \
  RARE(os_fail, "a call of the system that may fail does fail")                       \
  RARE(race, "a thread lets others run between two steps that they may see")

typedef enum mi_rare_e {
#define RARE(name, doc) mi_rare_##name,
  MI_RARE_SWITCHES(RARE)
#undef RARE
      mi_rare_count_
} mi_rare_t;

#if defined(MI_TEST_FAULTS)
/* True at every n-th call for the switch, whatever thread calls: the caller then takes the path. */
bool mi_rare(mi_rare_t which);
/* Forces the path at every n-th occasion from now on. 0: never. */
void mi_rare_set(mi_rare_t which, unsigned long n);
unsigned long mi_rare_get(mi_rare_t which);

/* From the n-th call on, counted from now, each function of os.h that may fail does fail, until
   this is called again. 0: none fails. Returns the number of such calls since the last time. */
unsigned long mi_os_fail_from(unsigned long n);
/* True if the function that asks must fail. */
bool mi_os_fault(void);

/* The system seems to have `count` huge pages more, which are ordinary memory. */
void mi_os_offer_huge_pages(size_t count);
/* Takes one of the pages that were offered. False if there is none left. */
bool mi_os_fake_huge_page(void);

/* From now on `fn` is called with each size that is unmapped, by the thread that unmaps it. */
void mi_os_on_unmap(void (*fn)(size_t size));
/* Calls the function of mi_os_on_unmap. */
void mi_os_unmapped(size_t size);

/* MIHEAP_TEST_PAGE_SIZE in the environment, a multiple of the true page size; 0: not set. */
size_t mi_os_fake_page_size(void);
/* Ends the process unless this memory is whole pages. */
void mi_os_expect_pages(const void* p, size_t size);
#else
#define mi_rare(which) false
#define mi_os_fault() false
#define mi_os_fake_huge_page() false
#define mi_os_unmapped(size) ((void)0)
#define mi_os_fake_page_size() ((size_t)0)
#define mi_os_expect_pages(p, size) ((void)0)
#endif

/* Stands between two steps of an atomic protocol: other threads may see what is between them. */
#define mi_race_window()                       \
  do {                                         \
    if (mi_rare(mi_rare_race)) mi_os_yield(0); \
  } while (0)

#endif
