/* The structures of the allocator: those that lie in the memory it manages, describe that memory,
   or belong to a thread. Read this first.

   Elsewhere are sub-processes (segment/subproc.h), mappings (segment/mapping.h), what guarded
   and tracked blocks carry (segment/guard.c, segment/track.c), the process's statistics
   (stats/stats.h), and values that functions pass on: mi_slot_ref_t (segment/slot_ref.h),
   mi_request_t (heap/request.h), mi_span_t (bits.h).

   The address space, from the outside in:

     chunk    32 MiB, aligned; reserved from the system; 8 slots
     slot      4 MiB, aligned; holds one segment, or nothing
     segment   the content of a slot: a header, then pages
     unit     64 KiB: the grain at which memory is committed, dirtied and purged; 64 in a slot
     page      a run of blocks of one size: 1 unit (small), or as many units as a dozen blocks need
               (medium), or one block (large)
     block     what the caller gets

   A block above MI_LARGE_BLOCK_MAX is huge: a segment of its own, with the header in front. A huge
   segment is a run of slots next to each other in one chunk or in an arena (segment/run.h), or a
   mapping outside of any chunk, found through a table (segment/map.h) instead of by masking.

   An arena is memory that the program handed in, or had reserved in advance. An arena is divided
   into chunks too; those at its ends may have fewer than 8 slots.

   From the address of any block, unless it is in a mapping of its own:

     segment = p & ~(MI_SEGMENT_SIZE - 1)
     page    = segment->pages[i], where i is the last bit of segment->pages_used that is not above
               (p - segment) >> page_shift

        slot (4 MiB), unit by unit
        +--------+--------+--------+--------+--------+--------+-- - --+--------+
        | header | page 1 | page 2: medium or large  | page 5 |       |        |
        | page 0 | small  |        |        |        | small  |       |        |
        +--------+--------+--------+--------+--------+--------+-- - --+--------+

   The header takes the front of page 0, which is a small page.

   How to read the fields: sizes are bytes and times are milliseconds of mi_os_now(), unless a
   comment says otherwise. Each structure says who owns it. A field without _Atomic is read and
   written by the owner only, unless its comment says otherwise. A *bit per X* is bit i for X number
   i. */
#ifndef MI_TYPES_H
#define MI_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "miheap.h"

#if UINTPTR_MAX < UINT64_MAX
#error "miheap needs addresses of 64 bits"
#endif

/* Build modes, set by CMake.
     MI_DEBUG 1     assertions and pointer checks
     MI_DEBUG 2     also walks every invariant
     MI_HARDENED    pointer checks and encoded lists; misuse stops the process
     MI_GUARDED     blocks may end at memory without access (segment/guard.h)
     MI_CHECKED     derived: free and realloc check every pointer */
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

/* The largest block of each kind of page. A large block has a page to itself. When it is freed, its
   memory is at once free for any size, and where threads share such pages for any thread. But
   malloc and free of it take 100 ns instead of 10 to 40, and it takes a whole unit of an arena.
   With medium blocks of up to 64 KiB programs need up to a fifth more memory; with medium blocks of
   up to 16 KiB they need hardly less than now (bench/NOTES.md). */
#define MI_SMALL_BLOCK_MAX ((size_t)8 << 10)
#define MI_MEDIUM_BLOCK_MAX ((size_t)32 << 10)
#define MI_LARGE_BLOCK_MAX (MI_SEGMENT_SIZE / 2)

/* The fewest blocks in a medium page. If pages had few blocks, each page would touch fresh memory
   of its own. If they had many, a page with one block in use would keep much memory from other
   sizes: 16 threads that fell asleep kept half as much again with pages of 512 KiB. */
#define MI_MEDIUM_BLOCKS 12

#define MI_WORD_SIZE sizeof(void*)
#define MI_MAX_ALIGN 16
/* Entries of pages_free_direct: a size up to MI_SMALL_SIZE_MAX finds its page by its number of
   words. */
#define MI_DIRECT_COUNT (MI_SMALL_SIZE_MAX / MI_WORD_SIZE + 1)

/* Size classes, called bins: 8, then every 16 up to 128, then eight to each doubling up to
   MI_LARGE_BLOCK_MAX (page/size_class.h). So a block wastes at most an eighth once its size is
   rounded up to 16, unless its class borrowed it (heap/find.c) or it grew (api/realloc.c). */
#define MI_BIN_LARGE 74u /* the first bin whose pages have one block */
#define MI_BIN_HUGE 122u /* page->bin of a huge page */
#define MI_BIN_NONE 123u /* no page's bin */

/* The queues of a heap's pages: one for each bin below MI_BIN_LARGE, and the full queue, with the
   exhausted pages of these, and the pages of all other bins. */
#define MI_QUEUE_OF_FULL MI_BIN_LARGE
#define MI_PAGE_QUEUES (MI_BIN_LARGE + 1)

/* The largest size that can be asked for: adding a header and rounding it up cannot overflow. */
#define MI_MAX_ALLOC_SIZE ((size_t)PTRDIFF_MAX)

/* ---- Block ---- */

/* A free block: its first word links it into one list of its page. Only page/block.h reads and
   writes the word, since hardened builds encode it. */
typedef struct mi_block_s {
  uintptr_t next; /* the next block of the list; 0: the last one; encoded in hardened builds */
} mi_block_t;

/* ---- Page ---- */

/* The word page->thread_free holds the blocks that other threads freed (of a SHARED page the owner,
   too): from the lowest bit on, a state (MI_TF_STATE_MASK), the bit MI_TF_WHOLE, the address of the
   first block, and from MI_TF_COUNT_SHIFT on the number of blocks: those on the list and those in
   `holes`. The state says whom a push has to tell:

     NORMAL     no thread: the owner looks at the page by itself
     FULL       the page is in its heap's full queue, where the owner does not look, and the list is
                shorter than mi_page_quota: the thread whose push makes it that long must also put
                the page on the heap's delayed list
     BUSY       a thread is at work on the page and will set NORMAL: it is putting the page on the
                delayed list, or it took the list of blocks and is purging them. It may use
                page->heap, so until then neither the heap nor the page may end
     UNOWNED    a huge page whose thread has ended: the thread that frees the block frees the
                segment

   The owner sets NORMAL -> FULL (if the list is empty), FULL -> NORMAL, and NORMAL -> UNOWNED
   (huge). Any thread that pushes sets FULL -> BUSY -> NORMAL; any thread that purges sets
   NORMAL -> BUSY -> NORMAL.

   WHOLE says that all blocks of the page are on the list, or are holes; or, if the list is empty,
   that all blocks are free and none is laid out, since the page was purged (page/scavenge.h).

   ARCHITECTURE.md has the picture, and the names of the invariants that test/model checks. */
enum { MI_TF_NORMAL = 0, MI_TF_FULL = 1, MI_TF_BUSY = 2, MI_TF_UNOWNED = 3 };
enum { MI_TF_STATE_MASK = 3, MI_TF_WHOLE = 4, MI_TF_COUNT_SHIFT = 48 };

/* Bits of page->flags. The fast path of free serves pages without any. */
enum {
  MI_PAGE_HAS_ALIGNED = 1, /* some block was handed out at an address inside of it */
  MI_PAGE_UNUSED = 2,      /* the page was given back, or has one block, which is free: freeing a
                              block of it is misuse */
  MI_PAGE_SHARED = 4,      /* the owner, too, frees to thread_free (heap/delayed.c) */
};

/* In page->freer, added to a thread's id, which is even: the thread's frees go to the magazine. */
enum { MI_FREER_TO_MAGAZINE = 1 };

/* A page: a run of blocks of one size. The descriptor lies in the header of the segment. Its owner
   is the owner of the segment or, while the segment is abandoned, the thread that holds it.

   The first cache line is what malloc and the owner's free write. But for `communal_id` and
   `guarded`, only the owner touches it, or who has its lock (segment/owner_lock.h); without that,
   page/scavenge.c reads it for a guess. The second is what any free reads, and what seldom changes.
   The third is what other threads write: when it lay in the line that any free reads, each free by
   another thread took that line from the owner, which cost 5 to 20 % of the time of programs whose
   threads free each other's blocks (bench/NOTES.md).

   What holds while no call is under way in the owner:

     used + uncounted + |free| + |local_free| == capacity <= reserved; `used` counts the blocks on
       thread_free too
     every block on a list lies at start + i * block_size with i < capacity, and is on one list only
     the page is in exactly one queue of its heap: that of its bin, or the full queue (in_full)
     in_full implies that `free` is empty, but in a page of one block
     a page of one block is always in_full. One that is in heap->singles is retired: malloc takes it
       only by heap/single.h, since its block may be less aligned than others of its class
       (mi_segment_page_resize)
     thread_free is FULL only if in_full is set
     a page that is in_full but not FULL is in heap->singles; or on its heap's delayed list, or
       about to be. Until the owner drains that list it takes nothing from thread_free, so the page
       cannot become empty
     `uncounted` is 0 if SHARED is set. It is 0 too if the owner freed enough blocks of a page in
       the full queue before it read the notice of other threads
     SHARED implies that `free` and `local_free` are empty, and that all blocks are laid out
     `freer` is the segment's owner if the page is in use by one of the owner's heaps, has no flag
       and no `stack`, or 0 if it has a trap (page/page.h). It is the owner and MI_FREER_TO_MAGAZINE
       if it has a `stack`, and no flag but SHARED is set. Else it is 0 */
typedef struct mi_page_s {
  _Alignas(64) mi_block_t* free; /* malloc pops here */
  mi_block_t* local_free;        /* the owner's free pushes here */
  /* Blocks alive, and blocks on thread_free; but see `uncounted`. 32 bits, though 16 would do: they
     are stored and read again by each malloc and free, and some processors take 8 to 20 % longer
     for a pair of these with 16 (bench/NOTES.md). */
  uint32_t used;
  /* Blocks alive that `used` leaves out, so that `used` becomes 0 when the owner is to look at the
     page (heap/queue.c, heap/retire.c). */
  uint16_t uncounted;
  uint16_t capacity;       /* blocks laid out so far: handed out once, or put on a list */
  bool memory_is_zero : 1; /* the memory beyond `capacity` reads as zero */
  bool free_is_zero : 1;   /* every block on `free` reads as zero, but for its first word */
  bool adopted : 1;        /* its heap took it over with live blocks, which must outlive the heap */
  bool began_anew : 1;     /* mi_page_start_anew ran since a visit cleared this */
  bool collected : 1;      /* mi_page_free_collect saw its lists since a visit cleared this */
  uint8_t shared_credit : 3; /* above 0: the page will be SHARED when it is full */
  uint8_t retire_expire;     /* calls of mi_heap_collect_retired that are left; 0: not retired */
  bool in_full;              /* in the full queue */
  uint16_t owner_shared;     /* blocks that the owner put on thread_free (page/collect.c) */
  struct mi_page_s* next;    /* in its queue */
  struct mi_page_s* prev;
  union {
    struct mi_page_s* visit_next; /* the next page of the visit that is under way (heap/visit.c) */
    /* Of a communal page: the mi_tld_t.communal_id of the thread that took it. For a thread that
       holds the segment, or the block. */
    uintptr_t communal_id;
  };
#if MI_GUARDED
  _Atomic(uint64_t) guarded; /* bit per block that is guarded (segment/guard.h) */
#endif

  /* The id of the thread that may push on local_free without another look, or that and
     MI_FREER_TO_MAGAZINE; 0: none. Written by the owner; cleared by any thread that sets a trap,
     and before another thread may own the segment. */
  _Alignas(64) _Atomic(uintptr_t) freer;
  /* Up to `bin`, fixed while the page is in use, and read by any thread that holds a block of it.
     But of a page of one block, realloc changes block_size and bin, while only its caller holds
     the block; and so does heap/single.c, while nobody does. */
  size_t block_size;      /* 0: the page is not in use */
  uint8_t* start;         /* the first block */
  uintptr_t key;          /* hardened builds: encodes the links of the page's lists */
  uint16_t reserved;      /* blocks that fit */
  _Atomic(uint8_t) flags; /* MI_PAGE_…; written with the owner's lock, or by the owner */
  uint8_t bin;            /* the size class, or MI_BIN_HUGE */
  uint8_t tag;            /* the tag of its heap; of an abandoned page, of its last heap */
  /* The most bytes of blocks that were laid out since the page began, or was purged, as of when it
     was retired last: what it counts for while it is retired. For the owner. */
  uint32_t touched_bytes;
  /* Where in the heap's magazine the owner's frees go; NULL: nowhere. For the owner. */
  struct mi_magazine_stack_s* stack;
  /* The heap whose page this is. NULL: the page is abandoned, communal, or not in use. Written by
     the owner. A holder of a block may compare it; another thread may follow it only while it has
     set BUSY: its acquire pairs with the release in mi_page_set_full. */
  _Atomic(struct mi_heap_s*) heap;

  _Alignas(64) _Atomic(uintptr_t) thread_free; /* a list and a state: see MI_TF_NORMAL */
  /* On its heap's delayed list: the next page. Of an abandoned page: how many blocks must be on
     thread_free for the page to be empty. Of a communal page: 1, and 0 once its block was freed. */
  _Atomic(uintptr_t) link;
  /* Bit per block that counts as one on thread_free, but is on no list, since its memory was purged
     with the link (page/holes.h). Written by the thread that has taken the list, or that ends the
     page. */
  _Atomic(uint64_t) holes;
  _Atomic(uint8_t) seen; /* by which page/scavenge.c knows the list of its last look; 0: none */
  /* How many blocks were purged, as far as they can be, from the end of thread_free's list on, with
     the holes last. 0 in a page of blocks of up to MI_SMALL_SIZE_MAX. */
  _Atomic(uint8_t) purged;
} mi_page_t;

_Static_assert(sizeof(mi_page_t) == 192, "three cache lines");

/* Pages of one heap, linked through next and prev; for the heap's thread. Both NULL: empty. */
typedef struct mi_page_queue_s {
  mi_page_t* first;
  mi_page_t* last;
} mi_page_queue_t;

/* ---- Segment ---- */

/* The state of the 64 units of a slot. It belongs to the memory, not to the segment in it, and
   outlives it. Any thread may touch it. A unit is in exactly one of these states:

     in use   in neither mask: part of a segment's header or of a page in use
     dirty    free, and holds memory: any thread may purge it
     clean    free, and holds no memory: untouched or purged
     purging  in neither mask for a moment: a thread took its dirty bit and will set its clean bit

   A thread takes a unit, to use it or to purge it, by clearing its bit and finding that the bit was
   set.

   A slot has a pair of cache lines to itself, since the next slot may be another thread's. Without
   that, programs whose threads allocate and free large blocks take 5 % longer. */
typedef struct mi_slot_s {
  _Alignas(128) _Atomic(uint64_t) dirty; /* bit per unit */
  _Atomic(uint64_t) clean;               /* bit per unit */
  /* Bits of units that have been dirty since the last look at the slot, and since `old_since`
     (segment/purge.c). Hints: the thread that takes a unit clears its bits, but may come too
     late. */
  _Atomic(uint64_t) aged;
  _Atomic(uint64_t) old;
  _Atomic(int64_t) purge_at; /* when the next look is due; 0: never */
  /* Bit per half of the slot (segment/large_pages.h): a large page is asked for now; and: one was
     asked for since all of the half was clean. */
  _Atomic(uint8_t) large;
  _Atomic(uint8_t) was_large;
  _Atomic(bool) clean_is_zero; /* false after a purge that does not zero */
  _Atomic(uint32_t) old_since; /* a time, its low 32 bits */
  _Atomic(uint32_t) pins;      /* threads that look at the segment, and a bit (segment/pin.h) */
  /* Units of the huge segment that starts here; 0: none does. Its top bit: the memory was moved
     away (segment/run.c). For the thread that holds the slot, or has ended its segment. */
  uint32_t run_units;
  /* Bit per unit that was ever made writable; used where chunk->uncommitted is set. For the thread
     that holds the slot. */
  uint64_t writable;
} mi_slot_t;

/* An arena: memory in one piece, handed in or reserved (segment/arena.h). It stays for ever. Any
   thread reads it; only `abandoned` and `takers` change once it is in use. */
typedef struct mi_arena_s {
  mi_arena_id_t id;   /* from 1 */
  uint8_t* start;     /* on a segment boundary */
  size_t slot_count;  /* slots, next to each other from `start` on */
  size_t first_chunk; /* number of its first chunk; the others have the numbers that follow */
  size_t chunk_count; /* how many chunks its slots are in */
  int numa_node;      /* the one that was asked for; below 0: any */
  bool exclusive;     /* only heaps made for it take slots here */
  bool resident;      /* must not be purged */
  bool uncommitted;   /* units must be made writable before they are used */
  bool foreign;       /* the caller mapped it: what a purge leaves there is not known */
  bool zero;          /* all of it was zero at first */
  _Atomic(size_t) abandoned; /* abandoned segments in it, if it is exclusive */
  /* Low 32 bits: threads that hold some slots of a run and not yet all. High 32 bits: such attempts
     that ended. See take_together in segment/arena.c. */
  _Atomic(uint64_t) takers;
} mi_arena_t;

struct mi_chunk_s;
struct mi_subproc_s;
struct mi_owner_lock_s;

/* The header of a segment, at the start of its slot (huge: of its run or mapping). The cookie is 0
   once the segment has ended, so that a stale pointer into it is recognised.

   The thread in `thread_id` is the owner: only it may touch the fields below, and the first cache
   line of each page, unless a comment says otherwise. An abandoned segment of a chunk is marked in
   chunk->abandoned. The thread that takes the mark *holds* the segment: it stands in for the owner,
   and becomes the owner if it adopts the segment. No thread adopts a communal one
   (heap/communal.h). A huge segment whose thread has ended belongs to the thread that frees its
   block; a thread that visits one pins it, in its slot (segment/pin.h) or in the segment table
   (segment/map.h).

   Any thread that holds a block in the segment may read page_shift, huge, slot_index, chunk and
   cookie. A thread that has pinned it may read page_shift, huge, slot_index, chunk and
   header_size. */
typedef struct mi_segment_s {
  /* The id of the owner; 0: abandoned, communal, or not a segment. The release in
     mi_segment_abandon pairs with the acquire in free_in (api/free.c). */
  _Atomic(uintptr_t) thread_id;
  /* MI_UNIT_SHIFT; in a huge segment MI_SEGMENT_SHIFT, which leads to page 0 from anywhere. */
  uint8_t page_shift;
  bool huge;          /* its one page has one block, above MI_LARGE_BLOCK_MAX or far aligned */
  uint8_t slot_index; /* in its chunk; of a run: of the first slot; of a mapping: 0 */
  /* The owner's queue that the segment is in. 0: of its free units only that of the header may
     serve, and only for a small page. Above 0: the longest run of its other free units has
     2^(queue-1) to 2^queue - 1. MI_QUEUE_NONE: it is in no queue, since no unit is free, or it is
     abandoned or huge. */
  int8_t queue;
  uint32_t page_count;      /* pages that fit: 64; huge: 1 */
  uint32_t used;            /* pages in use */
  uint32_t abandoned_pages; /* how many of these their heap let go, while a thread abandons them */
  uint32_t header_size;     /* bytes from the segment to where page 0 may begin */
  /* Bit per page in use, at its first unit. Written by the owner, with release; read by any holder
     of a block, and with acquire by a thread that has pinned the segment. */
  _Atomic(uint64_t) pages_used;
  uint64_t units_used; /* bit per unit of the pages in use */
  /* Bit per page whose descriptor is all zero, or was cleared. The other descriptors hold what was
     in this memory before: each is cleared when its page first comes into use, and is not read
     until then. The bit of page 0 is always set. */
  uint64_t cleared;
  /* Bit per page with blocks above MI_SMALL_SIZE_MAX. Written by the owner; read by threads that
     have pinned the segment. */
  _Atomic(uint64_t) coarse_pages;
  struct mi_chunk_s* chunk;  /* NULL: huge, and a mapping of its own */
  struct mi_segment_s* next; /* in the owner's queue of segments that have free units */
  struct mi_segment_s* prev; /* of the first segment of the queue: the last one */
  uintptr_t cookie;          /* mi_segment_cookie(segment): tells a segment from other memory */
  /* The owner's lock (segment/owner_lock.h); NULL: no owner, or huge. Written by the owner; read by
     threads that have pinned the segment. */
  _Atomic(struct mi_owner_lock_s*) lock;
  size_t huge_size;     /* bytes of the run's units or of the mapping; 0: not huge */
  size_t huge_written;  /* huge: from its start, bytes that may not have read as zero */
  bool first_page_zero; /* page 0 was never in use, and its memory reads as zero */
  /* Abandoned: the sub-process of the thread that left it; but where the segment is not huge its
     mark is what counts (segment/mark.h), and this tells only communal segments, for which it is
     mi_subproc_communal. */
  _Atomic(struct mi_subproc_s*) subproc;

  mi_page_t pages[MI_UNITS_PER_SEGMENT]; /* by the first unit of each; page_count of them exist */
} mi_segment_t;

/* Values of mi_segment_t.queue: none, or one from 0 to below MI_QUEUE_COUNT. */
enum { MI_QUEUE_NONE = -1, MI_QUEUE_COUNT = 7 };

/* The descriptor of a chunk: 32 MiB from the system, or of an arena. It is not freed before the
   library ends, so any thread may read it at any time. After its chunk was unmapped another chunk
   from the system may have it; the descriptor of an arena's chunk is never another chunk's. What is
   not _Atomic is published by the release store of `free` (segment/chunk.c). */
typedef struct mi_chunk_s {
  uint8_t* start; /* on a chunk boundary; with fewer slots than 8: on a segment boundary */
  size_t number;  /* mi_chunk_at(number) is this descriptor */
  /* MI_SLOTS_PER_CHUNK; less at the ends of an arena; 1 where addresses were short. */
  unsigned slot_count;
  bool resident;    /* must not be purged: as its arena says, or large pages from the system */
  bool uncommitted; /* units must be made writable before they are used */
  bool foreign;     /* as its arena */
  _Atomic(mi_arena_t*) arena; /* NULL: from the system */
  _Atomic(bool) vacant;       /* the chunk was unmapped; another one may have this descriptor */
  _Atomic(uint32_t) free;     /* bit per slot that holds no segment; clearing it takes the slot */
  /* For each slot with an abandoned segment the sub-process whose thread left it; plus 1 while a
     thread holds the segment. Adding the 1 is what takes the segment (segment/mark.h). */
  _Atomic(struct mi_subproc_s*) abandoned[MI_SLOTS_PER_CHUNK];
  _Atomic(bool) has_large;       /* a large page was asked for in it (segment/large_pages.h) */
  _Atomic(uint32_t) to_scavenge; /* bit per slot in which page/scavenge.c has to look */
  _Atomic(uint32_t) to_purger;   /* the same, where only the purger can do something */
  /* Bit per slot: while a thread held the abandoned segment, another thread wanted to. */
  _Atomic(uint32_t) missed;
  mi_slot_t slots[MI_SLOTS_PER_CHUNK];
} mi_chunk_t;

/* ---- Heap ---- */

/* The segments of a thread. A heap made for an arena has its own, so that its segments hold pages
   of no other heap. For that thread only. */
typedef struct mi_segments_tld_s {
  mi_segment_t* free[MI_QUEUE_COUNT]; /* the first segment of each queue: see mi_segment_t.queue */
  uint32_t count;                     /* segments owned, but for huge ones */
  uint16_t adopt_cursor; /* about the chunk at which to look for abandoned segments next */
  uint16_t left;         /* number of the slot, from 1, that the thread left last with much in it
                            dirty; 0: none */
  mi_arena_t* arena;     /* where all of them are; NULL: anywhere but in exclusive arenas */
  struct mi_subproc_s* subproc; /* the sub-process of the thread; NULL: the first one */
  struct mi_owner_lock_s* lock; /* the thread's (segment/owner_lock.h) */
} mi_segments_tld_t;

/* What a thread counts for itself: the rows of MI_STATS (miheap.h) that are for threads. */
typedef struct mi_thread_stats_s {
#define NONE(name, unit, doc)
#define LEVEL(name, unit, doc) mi_stat_count_t name;
#define EVENTS(name, unit, doc) int64_t name;
  MI_STATS(NONE, NONE, LEVEL, EVENTS)
#undef NONE
#undef LEVEL
#undef EVENTS
} mi_thread_stats_t;

/* A magazine: the blocks above MI_SMALL_SIZE_MAX and up to MI_MEDIUM_BLOCK_MAX that a thread freed
   last (heap/magazine.h). For its page each of them is alive. A magazine is not unmapped before the
   library ends, so any thread may read it at any time; the owner writes it, unless a comment says
   otherwise. */
enum { MI_MAGAZINE_CLASSES = 40, MI_MAGAZINE_DEPTH = 64 };
_Static_assert(MI_SMALL_SIZE_MAX << (MI_MAGAZINE_CLASSES / 8) == MI_MEDIUM_BLOCK_MAX,
               "there are eight classes to a doubling");

/* The blocks of one size class in a magazine. The slots lie apart, so that who looks through all
   stacks reads few lines. */
typedef struct mi_magazine_stack_s {
  /* How many slots are in use, from the first one on. A pop writes it before it empties the slot, a
     push after it has filled one. */
  _Atomic(uint8_t) count;
  _Atomic(uint8_t) depth; /* how many it may use now: heap/magazine_depth.c */
  /* With so many blocks the purger is to be told that they wait: 64 KiB more than it was told of,
     or the last sweep left. */
  _Atomic(uint8_t) tells_at; /* sweeps of other threads write it, too: a hint */
  uint8_t overflows;         /* for the owner: blocks that found no room since malloc found none */
  uint32_t block_size;       /* fixed */
  /* Fixed, MI_MAGAZINE_DEPTH of them. In each the address of a block, with bit 0 set if the last
     sweep saw it there; 0: none, or another thread took it. */
  _Atomic(uintptr_t)* slots;
} mi_magazine_stack_t;

typedef struct mi_magazine_s {
  /* For the owner: the bytes that may be in it beyond the least depths; below 0 where classes are
     closed. */
  int64_t extra;
  size_t least_pages;        /* for the owner: the depths are too large for a heap with fewer */
  _Atomic(uintptr_t) owner;  /* id of the thread that has it; 0: none, and any thread may take it */
  _Atomic(bool) watched;     /* other threads take what lies in it for long */
  _Atomic(bool) was_watched; /* once, and a thread may still look into it */
  /* Threads that take blocks out, or are about to: meanwhile the owner does so by exchanges. One
     more while `by_exchange`. */
  _Atomic(uint32_t) takers;
  _Atomic(bool) by_exchange;  /* the owner always does so */
  _Atomic(uint32_t) visitors; /* threads that look into it now, and may hold blocks of it */
  struct mi_magazine_s* next; /* in the list of all magazines */
  mi_magazine_stack_t stacks[MI_MAGAZINE_CLASSES];
  _Atomic(uintptr_t) slots[MI_MAGAZINE_CLASSES][MI_MAGAZINE_DEPTH]; /* of the stacks */
} mi_magazine_t;

enum { MI_SINGLES = 4 }; /* pages of one block that a heap keeps at most */

/* A heap. For the thread that made it, but for `delayed`. The backing heap lies in its mi_tld_t,
   other heaps in blocks. */
typedef struct mi_heap_s {
  /* By number of words, the page to pop from: the first of its bin's queue, or the empty page. */
  mi_page_t* pages_free_direct[MI_DIRECT_COUNT];
  struct mi_tld_s* tld;
  mi_segments_tld_t* segments; /* where its pages come from: &tld->segments or &own_segments */
  struct mi_heap_s* next;      /* in tld->heaps */
  struct mi_heap_s* prev;
  struct mi_heap_s* lower; /* in the tree of the thread's heaps (heap/heaps.c) */
  struct mi_heap_s* higher;
  struct mi_heap_s* heir; /* the next heir; of the backing heap, the first one (heap/heaps.c) */
  size_t page_count;      /* pages in its queues */
  size_t retired_bytes;   /* what its retired pages count for */
  /* Of the backing heap: the pages that heap/single.h keeps, the newest one last. */
  mi_page_t* singles[MI_SINGLES];
  size_t single_bytes; /* what these count for, as a part of retired_bytes */
  /* What it may keep of such pages without asking again; at least single_bytes (heap/retire.c). */
  size_t single_room;
  mi_magazine_t* magazine; /* NULL: none. Only the backing heap of a thread has one */
  /* Blocks that malloc may take before the next heartbeat, besides those on a `free`. */
  int quick_blocks;
  int until_round; /* its heartbeats left before its retired pages age by a round */
  uint8_t single_count;
  uint16_t retired_min;   /* no bin below this has a retired page */
  uint16_t retired_max;   /* no bin above this has one */
  uint8_t tag;            /* heap_tag of mi_heap_new_ex */
  bool allow_destroy : 1; /* it adopts no pages, unless nothing else is left in its arena */
  bool has_adopted : 1;   /* it did so: some of its pages may be `adopted` */
  bool visiting : 1;      /* a visitor is running: no page is given back */
  bool others_free : 1;   /* other threads are known to have freed blocks of it */
  /* Pages of each bin below MI_BIN_LARGE, the full ones too; then those of all other bins. */
  uint32_t pages_of[MI_PAGE_QUEUES];
  uint8_t loans[MI_BIN_LARGE]; /* loans that each bin asked for in this round (heap/find.c) */
  mi_magazine_stack_t* stacks[MI_MAGAZINE_CLASSES]; /* those of the magazine, or NULL */
  mi_page_queue_t pages[MI_PAGE_QUEUES];
  mi_segments_tld_t own_segments; /* used if the heap was made for an arena */
#if MI_GUARDED
  size_t guarded_rate; /* one in so many blocks of the sizes below is guarded; 0: none */
  size_t guarded_left; /* the next guarded block is that number from now on, counted from 1 */
  size_t guarded_min;  /* the least and the largest size that is guarded */
  size_t guarded_max;
#endif
  /* The delayed list, linked through page->link: full pages of which other threads freed enough
     blocks (mi_page_quota). Any thread pushes, with release; the owner takes the whole list, with
     acquire. In a cache line of its own. */
  _Alignas(64) _Atomic(mi_page_t*) delayed;
} mi_heap_t;

/* Thread-local data: one for each thread that has allocated, in memory of its own (heap/thread.c).
   For that thread only. */
typedef struct mi_tld_s {
  unsigned long long heartbeat;    /* the number that the deferred-free callback gets */
  int until_collect;               /* heartbeats left before one collects */
  struct mi_heap_s* callback_heap; /* for which the deferred-free callback is running, or NULL */
  mi_heap_t* heaps;                /* every heap of the thread, the backing heap too */
  mi_segments_tld_t segments;
  uintptr_t communal_id;          /* never given twice; 0: it took no communal page yet */
  mi_segment_t* visited_communal; /* pinned while a visitor is shown a block in it, or NULL */
  mi_thread_stats_t stats;        /* since the thread began */
  /* The part of `stats` that the process's figures include already; but its peaks are those since
     that was last brought up to date. */
  mi_thread_stats_t merged;
  mi_heap_t backing;
} mi_tld_t;
#if !MI_GUARDED
_Static_assert(sizeof(mi_tld_t) <= 4096, "each thread that allocates has a system page of these");
#endif

#endif
