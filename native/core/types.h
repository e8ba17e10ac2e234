/* Every structure of the allocator, with what must hold for it. Read this first.

   The address space, from the outside in:

     chunk    32 MiB, aligned; reserved from the system in one call; 8 slots
     slot      4 MiB, aligned; holds one segment, or nothing
     segment   the content of a slot: a header, then pages
     unit     64 KiB: the grain at which memory is committed, dirtied and purged; 64 in a slot
     page      a run of blocks of one size: 1 unit (small), or as many units as a dozen blocks need
               (medium), or one block (large)
     block     what the caller gets

   A block above MI_LARGE_BLOCK_MAX is huge: a segment of its own, with the header in front. It is a
   run of slots next to each other in one chunk, or in an arena (segment/run.h); or a mapping of its
   own outside of any chunk, found through a table (segment/map.h) instead of by masking.

   An arena is memory that was handed in, or reserved in advance. Chunks are made of it too.

   From any block:  segment = p & ~(MI_SEGMENT_SIZE - 1)
                    page = segment->pages[i], where i is the last bit of segment->pages_used that is
                           not above (p - segment) >> page_shift

        slot (4 MiB), unit by unit
        +--------+--------+--------+--------+--------+--------+-- - --+--------+
        | header | page 1 | page 2: medium or large  | page 5 |       |        |
        | page 0 | small  |        |        |        | small  |       |        |
        +--------+--------+--------+--------+--------+--------+-- - --+--------+
   The header takes the front of page 0, which is a small one. */
#ifndef MI_TYPES_H
#define MI_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "miheap.h"

/* Build modes, set by CMake. MI_DEBUG 1: assertions and pointer checks; 2: every invariant is
   walked. MI_HARDENED: pointer checks, encoded lists, and misuse stops the process. MI_GUARDED:
   blocks may end at memory without access (segment/guard.h). */
#ifndef MI_DEBUG
#define MI_DEBUG 0
#endif
#ifndef MI_HARDENED
#define MI_HARDENED 0
#endif
#ifndef MI_GUARDED
#define MI_GUARDED 0
#endif
#define MI_CHECKED (MI_DEBUG > 0 || MI_HARDENED)

/* ---- Sizes ---- */

#define MI_UNIT_SHIFT 16
#define MI_SEGMENT_SHIFT 22
#define MI_CHUNK_SHIFT 25
#define MI_UNIT_SIZE ((size_t)1 << MI_UNIT_SHIFT)
#define MI_SEGMENT_SIZE ((size_t)1 << MI_SEGMENT_SHIFT)
#define MI_SEGMENT_MASK (MI_SEGMENT_SIZE - 1)
#define MI_CHUNK_SIZE ((size_t)1 << MI_CHUNK_SHIFT)
#define MI_UNITS_PER_SEGMENT (1u << (MI_SEGMENT_SHIFT - MI_UNIT_SHIFT))
#define MI_SLOTS_PER_CHUNK (1u << (MI_CHUNK_SHIFT - MI_SEGMENT_SHIFT))

/* The largest block of each kind of page. A large one has its page to itself: any size, and where threads share them
   any thread, finds its memory at once when it is freed, but malloc and free take 100 ns instead of 10 to 40, and it has
   a whole unit of an arena. With medium blocks of up to 64 KiB programs need up to a fifth more memory, with no more
   than 16 KiB hardly less (bench/NOTES.md). */
#define MI_SMALL_BLOCK_MAX ((size_t)8 << 10)
#define MI_MEDIUM_BLOCK_MAX ((size_t)32 << 10)
#define MI_LARGE_BLOCK_MAX (MI_SEGMENT_SIZE / 2)

/* Blocks in a medium page at least. With few, each page would touch fresh memory for itself. With many, a
   page with one block in use keeps much from others: 16 threads that fell asleep kept half as much more with
   pages of 512 KiB. */
#define MI_MEDIUM_BLOCKS 12

#define MI_WORD_SIZE sizeof(void*)
#define MI_MAX_ALIGN 16
/* Sizes up to MI_SMALL_SIZE_MAX find their page by their number of words. */
#define MI_DIRECT_COUNT (MI_SMALL_SIZE_MAX / MI_WORD_SIZE + 1)

/* Size classes: 8, then every 16 up to 128, then eight to each doubling up to
   MI_LARGE_BLOCK_MAX, so that a block wastes at most an eighth once its size is rounded to 16,
   unless its class borrows (heap/find.c), or it grew (api/realloc.c). See page/size_class.h. */
#define MI_BIN_LARGE 74u /* the first of those whose pages have one block */
#define MI_BIN_HUGE 122u
#define MI_BIN_FULL 123u
#define MI_BIN_COUNT 124u

/* A size for which size + header + rounding cannot overflow. */
#define MI_MAX_ALLOC_SIZE ((size_t)PTRDIFF_MAX)

/* ---- Block ---- */

/* A free block; its first word links it. All access goes through page/block.h, since hardened
   builds encode the link. */
typedef struct mi_block_s {
  uintptr_t next;
} mi_block_t;

/* ---- Page ---- */

/* The word `thread_free` is a list of blocks, their number in the bits above the address, and in
   the low bits who must be told of a push:

     NORMAL     nobody: the owner looks at this page by itself
     FULL       the page sits in its heap's full queue, where nobody looks, and the list is shorter
                than mi_page_quota: the thread that makes it so long must also put the page on
                the heap's delayed list
     NOTIFYING  some thread is at work here and will set NORMAL: it puts the page on that list,
                or it took the list and purges the blocks. It may use page->heap, so until then
                the heap may not end, and the page neither
     UNOWNED    a huge page whose thread has ended: who frees its block frees the segment

   owner:        NORMAL -> FULL (when the list is empty), FULL -> NORMAL, NORMAL -> UNOWNED
                 (huge)
   other thread: FULL -> NOTIFYING -> NORMAL, NORMAL -> NOTIFYING -> NORMAL (to purge it)

   WHOLE says that every block of the page is on the list; or, if the list is empty, that all are
   free and none is laid out, since the page was purged (page/scavenge.h).

   ARCHITECTURE.md has the picture, and the names of the invariants that test/model checks. */
enum { MI_TF_NORMAL = 0, MI_TF_FULL = 1, MI_TF_NOTIFYING = 2, MI_TF_UNOWNED = 3 };
enum { MI_TF_STATE_MASK = 3, MI_TF_WHOLE = 4, MI_TF_COUNT_SHIFT = 48 };

/* Bits of page->flags. None on the way of a plain free. */
enum {
  MI_PAGE_HAS_ALIGNED = 1, /* some block was handed out at an address inside of it */
  MI_PAGE_UNUSED = 2,      /* the page was given back: a free in it is misuse */
  MI_PAGE_SHARED = 4,      /* the owner, too, frees on thread_free (heap/delayed.c) */
};

/* A run of blocks of one size.

   Cache lines: what malloc and the owner's free write, touched by the owner only (the thread whose id is in the
   segment), but for `communal_id` and `guarded`; what any free reads, and what seldom changes; and what other threads
   write. When that was beside what any free reads, each free by another thread took this from the owner: 5 to 20 % of
   the time of programs whose threads free each other's blocks (bench/NOTES.md). While no call is under way in the
   owner:

     used + uncounted + |free| + |local_free| == capacity <= reserved; `used` counts the blocks on
       thread_free too
     every listed block lies at start + i * block_size with i < capacity, on one list only
     the page is in exactly one queue of its heap: that of its bin, or the full queue (in_full);
       in_full implies that `free` is empty
     a page of one block is in_full from its first heap on: it is never looked for, since its block may be less
       aligned than those of its class (mi_segment_page_resize)
     thread_free is FULL only if in_full is set
     `uncounted` is 0 if SHARED is set, and when the owner has freed enough of a page in the full queue
       before it read the notice of others
     SHARED implies that `free` and `local_free` are empty, and all blocks laid out
     a page that is in_full but not FULL is on its heap's delayed list, or about to be. Until
       the owner drains that list it takes nothing from thread_free, so the page cannot become
       empty
     `freer` is the segment's owner, if the page is in use by one of its heaps, no flag is set,
       and its blocks do not go to a magazine; else 0 */
typedef struct mi_page_s {
  _Alignas(64) mi_block_t* free; /* malloc pops here */
  mi_block_t* local_free;        /* the owner's free pushes here */
  uint16_t used;
  union {
    /* Blocks alive that `used` leaves out, so that it becomes 0 when the owner is to look at the page
       (heap/queue.c, heap/retire.c). */
    uint16_t uncounted;
    uint16_t owner_shared; /* if SHARED: blocks that the owner put on thread_free */
  };
  uint16_t capacity;       /* blocks laid out so far */
  bool memory_is_zero : 1; /* beyond `capacity` */
  bool free_is_zero : 1;   /* every block on `free`, but for its first word */
  bool adopted : 1;    /* its heap took it over with blocks in it, which are not to die with it */
  bool began_anew : 1; /* all its blocks were free and forgotten since a visit set this to false */
  bool collected : 1; /* mi_page_free_collect looked at its lists since a visit set this to false */
  uint8_t shared_credit : 3; /* above 0: it will be SHARED when it is full */
  uint8_t retire_expire; /* rounds of mi_heap_age_retired until it is given back; 0: not retired */
  bool in_full;          /* the page sits in the full queue */
  bool to_magazine;      /* the owner's frees go to the heap's magazine */
  uint8_t in_magazine;   /* no more of its blocks than this are in there */
  struct mi_page_s* next;
  struct mi_page_s* prev;
  union {
    struct mi_page_s* visit_next; /* the next one of a visit; see heap/visit.h */
    /* Of a communal page: that of the thread that took it. For who holds the segment, or the block. */
    uintptr_t communal_id;
  };
#if MI_GUARDED
  _Atomic(uint64_t) guarded; /* bit per block: segment/guard.h */
#endif

  /* The thread whose free may push on local_free without another look; 0: none. */
  _Alignas(64) _Atomic(uintptr_t) freer;
  size_t block_size;
  uint8_t* start;         /* the first block */
  uintptr_t key;          /* encodes the links of this page's lists in hardened builds */
  uint16_t reserved;      /* blocks that fit */
  _Atomic(uint8_t) flags; /* MI_PAGE_…; written by the owner, read by all who hold a block here */
  uint8_t bin;
  uint8_t tag; /* that of its heap, or of the heap it was in when that ended */
  /* Written by the owner; read by another thread only while it holds NOTIFYING. NULL: abandoned. */
  _Atomic(struct mi_heap_s*) heap;

  _Alignas(64) _Atomic(uintptr_t) thread_free; /* list and MI_TF_ state; see above */
  /* On the heap's delayed list: the next page. Of an abandoned page: the blocks that must be on
     thread_free for it to be empty. Of a communal page: 1, and 0 when its block was freed. */
  _Atomic(uintptr_t) link;
  /* Of the blocks on thread_free, from its end: those that were there when page/scavenge.c looked last, and those that
     were purged, but for their links. In a page of many blocks 0. */
  _Atomic(uint8_t) seen;
  _Atomic(uint8_t) purged;
} mi_page_t;

_Static_assert(sizeof(mi_page_t) == 192, "three cache lines");

typedef struct mi_page_queue_s {
  mi_page_t* first;
  mi_page_t* last;
} mi_page_queue_t;

/* ---- Segment ---- */

/* The state of the 64 units of a slot. It belongs to the memory, not to the segment in it, and
   outlives it. A unit is in exactly one of these states:

     in use   in neither mask: part of a segment's header or of a page in use
     dirty    free, and holds memory: may be purged by anyone
     clean    free, and holds none: untouched or purged
     purging  in neither mask, for the moment: some thread took its dirty bit and will set its
              clean bit

   Taking a unit, to use it or to purge it, is clearing its bit and finding that it was set.

   In a pair of cache lines of its own, since the next slot may be another thread's: 5 % of the time of threads whose
   large blocks come and go. */
typedef struct mi_slot_s {
  _Alignas(128) _Atomic(uint64_t) dirty;
  _Atomic(uint64_t) clean;
  /* Units that have been dirty since the last look at the slot, and those since old_since: segment/purge.c.
     Hints: who takes a unit clears its bits, but may come too late. */
  _Atomic(uint64_t) aged;
  _Atomic(uint64_t) old;
  _Atomic(int64_t) purge_at; /* the next look, in mi_os_now(); 0: nothing is due */
  /* segment/large_pages.h: bit per half for which a large page is asked; and for which one was, since all of it was
     clean. */
  _Atomic(uint8_t) large;
  _Atomic(uint8_t) was_large;
  _Atomic(bool) clean_is_zero; /* false once a purge that does not zero has been used here */
  _Atomic(uint32_t) old_since; /* the last bits of mi_os_now() */
  _Atomic(uint32_t) pins;      /* segment/pin.h */
  uint32_t
      run_units; /* those of the huge segment that starts here; 0: an ordinary one. For who holds
                         the slot, or has ended its segment */
  uint64_t writable; /* where chunk->uncommitted: the units that were ever committed. For who holds
                        the slot */
} mi_slot_t;

/* Memory in one piece, handed in or reserved (segment/arena.h). Stays for ever, and nothing but
   `abandoned` and `takers` changes once it is in use. */
typedef struct mi_arena_s {
  mi_arena_id_t id;   /* from 1 */
  uint8_t* start;     /* on a segment boundary */
  size_t slot_count;  /* slots in it, next to each other */
  size_t first_chunk; /* their chunks have consecutive numbers from this one on */
  size_t chunk_count;
  int numa_node;
  bool exclusive;            /* only heaps made for it take slots here */
  bool resident;             /* must not be purged */
  bool uncommitted;          /* must be made writable before it is used */
  bool foreign;              /* the caller mapped it: who knows what a purge leaves there */
  bool zero;                 /* it was all zero at first */
  _Atomic(size_t) abandoned; /* abandoned segments here, if exclusive */
  _Atomic(uint64_t) takers;  /* who is just trying to take several slots: see take_run */
} mi_arena_t;

struct mi_chunk_s;
struct mi_subproc_s;

/* Header of a segment, at the start of its slot (huge: of its mapping). Zeroed when the segment
   is freed, so that a stale pointer into it is recognised.

   thread_id is the owner: only that thread may touch the rest, and the first line of each page.
   0: abandoned, or not a segment. An abandoned segment of a chunk is marked in chunk->abandoned;
   who clears that mark becomes the owner, unless the segment is communal (heap/communal.h). That of a
   huge block has no owner any more; who visits it pins it, in its slot (segment/pin.h) or in the segment
   table (segment/map.h). */
typedef struct mi_segment_s {
  _Atomic(uintptr_t) thread_id;
  uint8_t page_shift;
  bool huge;
  uint8_t slot_index;
  /* The owner's queue that it is in: 0, if only the unit of the header is free, which no page but a small one can use.
     Else the longest of its other runs of free units has 2^(queue-1) to 2^queue - 1. Or MI_QUEUE_NONE. */
  int8_t queue;
  uint32_t page_count;      /* pages that fit */
  uint32_t used;            /* pages in use */
  uint32_t abandoned_pages; /* of those, the ones their heap already let go */
  uint32_t header_size;
  /* Bit per page in use, at its first unit; written by the owner, read by all who hold a block here. */
  _Atomic(uint64_t) pages_used;
  uint64_t units_used; /* bit per unit of these */
  /* Bit per page whose descriptor is all zero, or was cleared; the owner's. The others hold what was in this memory
     before: each is cleared when its page first comes into use, and nobody reads it until then. Page 0's always is. */
  uint64_t cleared;
  /* Bit per page with blocks above MI_SMALL_BLOCK_MAX, also for who has pinned the segment. */
  _Atomic(uint64_t) long_pages;
  struct mi_chunk_s* chunk;  /* NULL: huge, and a mapping of its own */
  struct mi_segment_s* next; /* in the owner's queue of segments that have free units */
  struct mi_segment_s* prev; /* of the first one: the last one */
  uintptr_t cookie;          /* mi_segment_cookie(segment): tells a segment from other memory */
  size_t huge_size;          /* bytes of the mapping, or of the slots; 0: not huge */
  bool first_page_zero;      /* what lies behind the header was never written */
  /* Huge and abandoned: by a thread of which. Communal (heap/communal.h): mi_subproc_communal. */
  _Atomic(struct mi_subproc_s*) subproc;

  mi_page_t pages[MI_UNITS_PER_SEGMENT]; /* the first page_count exist */
} mi_segment_t;

enum { MI_QUEUE_NONE = -1, MI_QUEUE_COUNT = 7 };

/* 32 MiB, from the system or of an arena. The descriptor is never freed, so that it may be read at
   any time. That of an arena's chunk is never another chunk's, before or after. */
typedef struct mi_chunk_s {
  uint8_t* start;
  size_t number;       /* mi_chunk_at(number) is this one */
  unsigned slot_count; /* MI_SLOTS_PER_CHUNK, or less: 1 where addresses were short, and the ends of
                          an arena that do not fill 32 MiB */
  bool resident;       /* as its arena; and where it is of large pages from the system */
  bool uncommitted;
  bool foreign;
  _Atomic(mi_arena_t*) arena; /* NULL: from the system */
  _Atomic(bool) vacant;       /* it was unmapped; another may have this descriptor */
  _Atomic(uint32_t) free;     /* bit per slot that holds no segment; clearing it takes the slot */
  /* For each slot with an abandoned segment the sub-process whose thread left it; plus 1 while a thread
     holds the segment. Who makes it that takes the segment. */
  _Atomic(struct mi_subproc_s*) abandoned[MI_SLOTS_PER_CHUNK];
  _Atomic(bool) has_large;       /* a large page was asked for in it: segment/large_pages.h */
  _Atomic(uint32_t) to_scavenge; /* bit per slot: page/scavenge.h shall look there */
  /* Bit per slot: while somebody held the abandoned segment, another thread wanted to. */
  _Atomic(uint32_t) missed;
  mi_slot_t slots[MI_SLOTS_PER_CHUNK];
} mi_chunk_t;

/* ---- Heap ---- */

/* What a thread owns below its heaps; a heap made for an arena has its own, so that its segments hold
   no other heap's pages. */
typedef struct mi_segments_tld_s {
  /* Segments with free units by their `queue`: the first one of each queue. */
  mi_segment_t* free[MI_QUEUE_COUNT];
  uint32_t count;
  uint16_t adopt_cursor; /* about the chunk at which to look for abandoned segments next */
  uint16_t left; /* the slot, from 1, that the thread left last with much in it resident; 0: none */
  mi_arena_t* arena;            /* where all of them are; NULL: anywhere but in exclusive arenas */
  struct mi_subproc_s* subproc; /* the sub-process of the thread; NULL: the first one */
} mi_segments_tld_t;

/* What a thread counts for itself: MI_STATS of miheap.h. */
typedef struct mi_thread_stats_s {
#define NONE(name, unit, doc)
#define LEVEL(name, unit, doc) mi_stat_count_t name;
#define EVENTS(name, unit, doc) int64_t name;
  MI_STATS(NONE, NONE, LEVEL, EVENTS)
#undef NONE
#undef LEVEL
#undef EVENTS
} mi_thread_stats_t;

/* What a thread freed last, of blocks above MI_SMALL_SIZE_MAX and up to MI_MEDIUM_BLOCK_MAX: heap/magazine.h. For
   its page each block in here is alive. Not unmapped before the library is, so that it may be read at any time. */
enum { MI_MAGAZINE_CLASSES = 40, MI_MAGAZINE_DEPTH = 8 };
_Static_assert(MI_SMALL_SIZE_MAX << (MI_MAGAZINE_CLASSES / 8) == MI_MEDIUM_BLOCK_MAX,
               "there are eight classes to a doubling");
typedef struct mi_magazine_s {
  uint8_t count
      [MI_MAGAZINE_CLASSES]; /* of the slots below, the first so many are in use. The owner's */
  _Atomic(uintptr_t) owner;  /* id of the thread that has it; 0: none */
  _Atomic(bool) watched;     /* other threads may take blocks from it. Written by the owner */
  /* It was watched once, and somebody may still look into it: blocks are taken out by exchanges. */
  _Atomic(bool) contended;
  _Atomic(uint32_t) visitors; /* threads that just look into it, and may hold blocks of it */
  struct mi_magazine_s* next; /* in the list of all there are */
  /* Each an address, and bit 0 when it was there at the last look; or 0: nothing, or taken by another thread. */
  _Atomic(uintptr_t) slots[MI_MAGAZINE_CLASSES][MI_MAGAZINE_DEPTH];
} mi_magazine_t;

typedef struct mi_heap_s {
  /* By number of words, the page to pop from: the first of its bin's queue, or the empty page. */
  mi_page_t* pages_free_direct[MI_DIRECT_COUNT];
  struct mi_tld_s* tld;
  mi_segments_tld_t* segments; /* where its pages come from: of the thread, or its own */
  struct mi_heap_s* next;      /* in tld->heaps */
  size_t page_count;
  size_t retired_bytes;
  mi_magazine_t* magazine; /* NULL: none. Only the backing heap of a thread has one */
  int quick_blocks;     /* to be had before the next heartbeat, beside those that are on a `free` */
  uint16_t retired_min; /* bins that may hold a retired page */
  uint16_t retired_max;
  uint8_t tag;            /* what mi_heap_new_ex got */
  bool allow_destroy : 1; /* then it adopts nothing, unless it is all that is left in its arena */
  bool has_adopted : 1;   /* it did so: some of its pages are `adopted` */
  bool visiting : 1;      /* a visitor is running: no page is given back */
  bool others_free : 1;   /* other threads have told of blocks that they freed, at some time */
  uint32_t pages_of[MI_BIN_COUNT]; /* pages of each bin, also full ones */
  uint8_t loans[MI_BIN_LARGE];     /* blocks of larger classes that the bin got in this round */
  mi_page_queue_t pages[MI_BIN_COUNT];
  mi_segments_tld_t own_segments; /* used if it was made for an arena */
#if MI_GUARDED
  size_t guarded_rate; /* 1 in so many blocks of the sizes below is guarded; 0: none */
  size_t guarded_left; /* of these, the number of the next one that is guarded, from 1 */
  size_t guarded_min;
  size_t guarded_max;
#endif
  /* Full pages of which other threads freed enough blocks (mi_page_quota). In a line of its own. */
  _Alignas(64) _Atomic(mi_page_t*) delayed;
} mi_heap_t;

/* Thread-local data: one per thread that has allocated, in memory of its own (heap/thread.c). */
typedef struct mi_tld_s {
  unsigned long long heartbeat;
  int until_collect;               /* slow paths left before the heartbeat collects */
  int until_round;                 /* slow paths left before retired pages age */
  struct mi_heap_s* callback_heap; /* for which the deferred-free callback is running, or NULL */
  mi_heap_t* heaps;                /* every heap of the thread, the backing heap too */
  mi_segments_tld_t segments;
  uintptr_t communal_id;          /* 0: it took no communal page yet (heap/communal.h) */
  mi_segment_t* visited_communal; /* pinned while a visitor is shown a block in it */
  mi_thread_stats_t stats;        /* since the thread began */
  mi_thread_stats_t merged;       /* of that, what the process's figures have; peak: since then */
  mi_heap_t backing;
} mi_tld_t;
#if !MI_GUARDED
_Static_assert(sizeof(mi_tld_t) <= 4096, "each thread that allocates has a system page of these");
#endif

/* ---- For the compiler ---- */

#if !defined(__GNUC__)
#error "miheap needs gcc or clang"
#endif
#define mi_likely(x) __builtin_expect(!!(x), 1)
#define mi_unlikely(x) __builtin_expect(!!(x), 0)
#define mi_noinline __attribute__((noinline))
#define mi_cold __attribute__((noinline, cold))
#define mi_inline static inline __attribute__((always_inline))
/* Of the functions that programs call most: what they run lies in one or two cache lines. Up to 4 % of the time of
   programs that do little but allocate (bench/workloads/algebra.c). */
#define mi_hot __attribute__((aligned(64)))
#define mi_unreachable() __builtin_unreachable()
#define mi_prefetch(p) __builtin_prefetch(p, 1)
/* For variables of fast paths: found without the global offset table. */
#define mi_hidden __attribute__((visibility("hidden")))

#endif
