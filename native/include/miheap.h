/* miheap: a memory allocator that shards every free list.

   SPDX-License-Identifier: MIT

   This file is the manual. What holds for every function is said once, here.

   Language    C99 or later, C++11 or later.
   Units       Every size is in bytes, every time in milliseconds.
   Alignment   A block of 16 bytes or more is aligned to 16; a smaller one to 8. More on request.
   Errors      A function that cannot give memory returns NULL and sets errno to ENOMEM; nothing
               has changed then. This includes a size above PTRDIFF_MAX, and a count * size that
               overflows. malloc and free leave errno alone if they succeed.
   Threads     Any thread may call any function at any time, also before main, in a thread's exit
               handlers and in a forked child. Any thread may free a block. A `mi_heap_t` is the
               exception: only the thread that made it may allocate from it.
   Waiting     malloc and free take no lock that a thread of the program can hold. They wait for
               another thread in rare cases only: in the first call of a thread, while another one
               sets up miheap; for some microseconds, while the thread that purges (see the option
               background_purge) empties free lists of theirs; where they take over or give back
               memory of an ended thread that is just being purged, for as long as that takes; and
               where memory is exhausted, for about 50 ms, or longer if retry_on_oom says so. The
               end of a heap or of a thread may wait for a purge too.
   Signals     A handler may interrupt any function. Like every malloc, these are not for handlers
               themselves: one that allocates or frees while the thread that it interrupted was
               doing so may corrupt that thread's heap or, in the cases above, wait for ever.
   Ownership   A block belongs to the caller until it goes to mi_free, mi_realloc or one of their
               kin. To pass any other pointer, or the same one twice, or to write to a block that
               was freed, is misuse. If miheap notices it, it reports it on stderr in one line;
               hardened and debug builds then stop the process, others ignore the call.
                 All builds notice a pointer into memory that is not ours, and one into 64 KiB, at a
               multiple of that, in which no blocks are.
                 Hardened and debug builds notice a double free, as long as the memory was not
               handed out again, and a pointer into the inside of a block, unless blocks of its
               size were aligned at an offset. Hardened builds notice a write to the first
               word of a freed block of up to 32 KiB, when they next look at it: at the latest when
               its page ends.
                 In other builds these are undefined. Some are noticed when a thread collects what
               it or others freed; blocks are then given up to keep the rest in order. */
#ifndef MIHEAP_H
#define MIHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of miheap: major.minor.patch. */
#define MIHEAP_VERSION "0.1.0"

/* The version of mimalloc's interface that this header offers, as its programs test it:
   100 * major + 10 * minor + patch. */
#define MI_MALLOC_VERSION 224

/* The largest size for mi_malloc_small and its kin, in words and in bytes. */
#define MI_SMALL_WSIZE_MAX 128
#define MI_SMALL_SIZE_MAX (MI_SMALL_WSIZE_MAX * sizeof(void*))

/* Every power of two up to this is a valid alignment. Larger ones work as long as the system has
   addresses for them. */
#define MI_ALIGNMENT_MAX ((size_t)1 << 30)

#if defined(_WIN32)
#define mi_decl_export
#define mi_decl_restrict __declspec(restrict)
#define mi_attr_malloc
#define mi_attr_alloc_size(s)
#define mi_attr_alloc_size2(s1, s2)
#define mi_attr_alloc_align(a)
#define mi_cdecl __cdecl
#else
#if defined(MI_EMBEDDED)
#define mi_decl_export
#else
#define mi_decl_export __attribute__((visibility("default")))
#endif
#define mi_decl_restrict
#define mi_attr_malloc __attribute__((malloc))
#define mi_attr_alloc_size(s) __attribute__((alloc_size(s)))
#define mi_attr_alloc_size2(s1, s2) __attribute__((alloc_size(s1, s2)))
#define mi_attr_alloc_align(a) __attribute__((alloc_align(a)))
#define mi_cdecl
#endif

#if defined(__cplusplus)
#if __cplusplus >= 201703L
#define mi_decl_nodiscard [[nodiscard]]
#elif defined(__GNUC__)
#define mi_decl_nodiscard __attribute__((warn_unused_result))
#else
#define mi_decl_nodiscard
#endif
#define mi_attr_noexcept noexcept
extern "C" {
#else
#define mi_decl_nodiscard
#define mi_attr_noexcept
#endif

/* ---- Blocks ---- */

/* A block of at least `size` bytes, not initialised. Size 0 gives a block too, distinct from every
   other live one. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_malloc(size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);

/* Like mi_malloc(count * size), all zero. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_calloc(size_t count, size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(1, 2);

/* Resizes the block at `p`, moving it if it must; the contents up to the smaller of the two
   sizes stay. NULL for `p` allocates. On failure the old block is untouched and still the
   caller's. Size 0 gives a minimal block (the `realloc` of the overriding library frees instead,
   as glibc does). */
mi_decl_nodiscard mi_decl_export void* mi_realloc(void* p, size_t newsize)
    mi_attr_noexcept mi_attr_alloc_size(2);

/* Like mi_realloc, but never moves: `p` if the block already holds `newsize` bytes, else NULL
   (the block stays valid; errno is left alone). */
mi_decl_export void* mi_expand(void* p, size_t newsize) mi_attr_noexcept mi_attr_alloc_size(2);

/* Gives a block back. NULL does nothing. errno is left alone. */
mi_decl_export void mi_free(void* p) mi_attr_noexcept;
/* Like mi_free, for a block of at most MI_SMALL_SIZE_MAX bytes. */
mi_decl_export void mi_free_small(void* p) mi_attr_noexcept;

/* Like mi_malloc, for 0 <= size <= MI_SMALL_SIZE_MAX only: saves one test. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_malloc_small(size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);
/* Like mi_malloc_small, all zero. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_zalloc_small(size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);

/* Like mi_malloc, all zero. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_zalloc(size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);

/* Like mi_malloc(count * size). */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_mallocn(size_t count, size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(1, 2);

/* Like mi_realloc(p, count * size). */
mi_decl_nodiscard mi_decl_export void* mi_reallocn(void* p, size_t count, size_t size)
    mi_attr_noexcept mi_attr_alloc_size2(2, 3);

/* Like mi_realloc, but frees `p` when it fails. */
mi_decl_nodiscard mi_decl_export void* mi_reallocf(void* p, size_t newsize)
    mi_attr_noexcept mi_attr_alloc_size(2);

/* Copies of a string, from mi_malloc. NULL for NULL. mi_strndup copies at most `n` bytes. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict char* mi_strdup(const char* s)
    mi_attr_noexcept mi_attr_malloc;
mi_decl_nodiscard mi_decl_export mi_decl_restrict char* mi_strndup(const char* s, size_t n)
    mi_attr_noexcept mi_attr_malloc;

/* Like realpath(3). If `resolved_name` is NULL, the result is from mi_malloc. */
mi_decl_nodiscard mi_decl_export char* mi_realpath(const char* fname, char* resolved_name)
    mi_attr_noexcept;

/* The bytes that the caller may use from `p` on, at least as many as asked for. 0 for NULL. */
mi_decl_nodiscard mi_decl_export size_t mi_usable_size(const void* p) mi_attr_noexcept;

/* The usable size of a block from mi_malloc(size). If the thread seldom asks for such a size, its
   block may have up to twice as much. In builds with guarded or tracked blocks, these have no more
   than was asked for. */
mi_decl_nodiscard mi_decl_export size_t mi_good_size(size_t size) mi_attr_noexcept;

/* ---- Blocks at an alignment ----
   `alignment` is any power of two. Other values, 0 too, fail with EINVAL: in errno if the function
   returns a pointer, else as its result. The address of the block is a multiple of the alignment;
   with `_at`, the address `offset` bytes further on is, which may lie behind the end of the block.
   mi_free and mi_usable_size take these blocks like any other. mi_realloc may move one to where it
   is no longer aligned, or leave one with an odd `offset` where it is; mi_realloc_aligned keeps the
   alignment that it is given. */

mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_malloc_aligned(size_t size, size_t alignment)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1) mi_attr_alloc_align(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_malloc_aligned_at(size_t size, size_t alignment, size_t offset)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_zalloc_aligned(size_t size, size_t alignment)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1) mi_attr_alloc_align(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_zalloc_aligned_at(size_t size, size_t alignment, size_t offset)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_calloc_aligned(size_t count, size_t size, size_t alignment)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(1, 2) mi_attr_alloc_align(3);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_calloc_aligned_at(size_t count, size_t size, size_t alignment, size_t offset)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(1, 2);
mi_decl_nodiscard mi_decl_export void* mi_realloc_aligned(void* p, size_t newsize, size_t alignment)
    mi_attr_noexcept mi_attr_alloc_size(2) mi_attr_alloc_align(3);
mi_decl_nodiscard mi_decl_export void*
mi_realloc_aligned_at(void* p, size_t newsize, size_t alignment, size_t offset)
    mi_attr_noexcept mi_attr_alloc_size(2);

/* ---- Resizing blocks that began as zero ----
   Like mi_realloc and its kin, but every byte that the block gains is zero, also if the block
   shrank in between. This holds if the block came from a function that zeroes (mi_zalloc,
   mi_calloc, or one of these with NULL), was resized by functions of this section only, and was
   never written to beyond the size last asked for, even where mi_usable_size would allow it.
   mi_recalloc takes newcount * size. */

mi_decl_nodiscard mi_decl_export void* mi_rezalloc(void* p, size_t newsize)
    mi_attr_noexcept mi_attr_alloc_size(2);
mi_decl_nodiscard mi_decl_export void* mi_recalloc(void* p, size_t newcount, size_t size)
    mi_attr_noexcept mi_attr_alloc_size2(2, 3);
mi_decl_nodiscard mi_decl_export void*
mi_rezalloc_aligned(void* p, size_t newsize, size_t alignment)
    mi_attr_noexcept mi_attr_alloc_size(2) mi_attr_alloc_align(3);
mi_decl_nodiscard mi_decl_export void*
mi_rezalloc_aligned_at(void* p, size_t newsize, size_t alignment, size_t offset)
    mi_attr_noexcept mi_attr_alloc_size(2);
mi_decl_nodiscard mi_decl_export void*
mi_recalloc_aligned(void* p, size_t newcount, size_t size, size_t alignment)
    mi_attr_noexcept mi_attr_alloc_size2(2, 3) mi_attr_alloc_align(4);
mi_decl_nodiscard mi_decl_export void*
mi_recalloc_aligned_at(void* p, size_t newcount, size_t size, size_t alignment, size_t offset)
    mi_attr_noexcept mi_attr_alloc_size2(2, 3);

/* ---- Blocks and their sizes ----
   For callers that account for memory. `*block_size` becomes the bytes that the block takes in its
   page: at least its usable size, and the same until mi_ufree, unless mi_urealloc says otherwise.
   If the function returns NULL, it is not written. Each pointer to a size may be NULL. */

mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_umalloc(size_t size, size_t* block_size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_ucalloc(size_t count, size_t size, size_t* block_size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(1, 2);
/* Like mi_realloc. `*block_size_pre` becomes the old size in any case: 0 for NULL, and for a
   pointer that is not ours. `*block_size_post` becomes the new one. */
mi_decl_nodiscard mi_decl_export void*
mi_urealloc(void* p, size_t newsize, size_t* block_size_pre, size_t* block_size_post)
    mi_attr_noexcept mi_attr_alloc_size(2);
/* Like mi_free. `*block_size` is 0 for NULL, and for a pointer that is not ours. */
mi_decl_export void mi_ufree(void* p, size_t* block_size) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_umalloc_aligned(size_t size, size_t alignment, size_t* block_size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1) mi_attr_alloc_align(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_uzalloc_aligned(size_t size, size_t alignment, size_t* block_size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1) mi_attr_alloc_align(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_umalloc_small(size_t size, size_t* block_size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_uzalloc_small(size_t size, size_t* block_size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);

/* ---- The names of POSIX, BSD, glibc and Windows ---- */

/* Like mi_free, but silently does nothing if `p` points to no memory of ours. */
mi_decl_export void mi_cfree(void* p) mi_attr_noexcept;
/* mi_usable_size, mi_usable_size and mi_good_size. */
mi_decl_nodiscard mi_decl_export size_t mi_malloc_size(const void* p) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export size_t mi_malloc_usable_size(const void* p) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export size_t mi_malloc_good_size(size_t size) mi_attr_noexcept;
/* mi_free, for callers that know the size or the alignment they asked for. These are ignored. */
mi_decl_export void mi_free_size(void* p, size_t size) mi_attr_noexcept;
mi_decl_export void mi_free_size_aligned(void* p, size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_export void mi_free_aligned(void* p, size_t alignment) mi_attr_noexcept;

/* Like posix_memalign(3): 0, EINVAL or ENOMEM. `*p` changes only on 0, errno never. */
mi_decl_export int mi_posix_memalign(void** p, size_t alignment, size_t size) mi_attr_noexcept;
/* mi_malloc_aligned(size, alignment). */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_memalign(size_t alignment, size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2) mi_attr_alloc_align(1);
/* Like aligned_alloc(3), for any power of two. As in glibc, `size` need not be a multiple of it. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_aligned_alloc(size_t alignment, size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2) mi_attr_alloc_align(1);
/* Aligned to a page of the system. mi_pvalloc rounds the size up to whole pages, and 0 to one. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_valloc(size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_pvalloc(size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);

/* Like reallocarray(3) of the BSDs: mi_reallocn. */
mi_decl_nodiscard mi_decl_export void* mi_reallocarray(void* p, size_t count, size_t size)
    mi_attr_noexcept mi_attr_alloc_size2(2, 3);
/* Like reallocarr(3) of NetBSD. `p` is the address of the pointer to the block. The pointer changes
   on success only. A count or size of 0 frees the block and makes the pointer NULL. Returns 0,
   EINVAL (also for a block that is not ours, unless count * size overflows) or ENOMEM; errno is
   left alone. */
mi_decl_export int mi_reallocarr(void* p, size_t count, size_t size) mi_attr_noexcept;

/* The Windows names of mi_recalloc_aligned, mi_recalloc_aligned_at and mi_expand. mi__expand sets
   errno to ENOMEM if the block is too small. */
mi_decl_nodiscard mi_decl_export void*
mi_aligned_recalloc(void* p, size_t newcount, size_t size, size_t alignment) mi_attr_noexcept;
mi_decl_nodiscard mi_decl_export void*
mi_aligned_offset_recalloc(void* p, size_t newcount, size_t size, size_t alignment, size_t offset)
    mi_attr_noexcept;
mi_decl_export void* mi__expand(void* p, size_t newsize) mi_attr_noexcept;
/* Copies of strings of 16-bit characters and of multi-byte ones. NULL for NULL. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict unsigned short* mi_wcsdup(const unsigned short* s)
    mi_attr_noexcept mi_attr_malloc;
mi_decl_nodiscard mi_decl_export mi_decl_restrict unsigned char* mi_mbsdup(const unsigned char* s)
    mi_attr_noexcept mi_attr_malloc;
/* `*buf` becomes a copy of the environment variable, which the caller must free, or NULL if it is
   not set; `*size` its length, or 0. `size` may be NULL. Returns 0, ENOMEM, or EINVAL if another
   argument is NULL. */
mi_decl_export int mi_dupenv_s(char** buf, size_t* size, const char* name) mi_attr_noexcept;
/* EINVAL with `*buf` NULL, since only Windows has an environment of such strings. */
mi_decl_export int mi_wdupenv_s(unsigned short** buf, size_t* size, const unsigned short* name)
    mi_attr_noexcept;

/* ---- C++ operator new ----
   If memory runs out, these call the handler of std::set_new_handler until there is memory, the
   handler throws, or there is no handler. Without a handler they throw std::bad_alloc; a process
   without C++ has nothing to throw, and stops with a message. The nothrow forms call the handler
   too, but return NULL instead, also when it throws. For a count * size that overflows, and an
   alignment that is no power of two, they throw bad_alloc at once, since no handler can help. When
   mi_new_realloc and mi_new_reallocn throw, the old block is as it was. All leave errno alone if
   they give memory, also where a handler was called.

   A C program may get C++ with a plug-in. Then all of this holds if the plug-in has it from
   libstdc++.so or libc++.so and not inside of itself; but the nothrow forms let through what a
   handler throws. */

mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_new(size_t size)
    mi_attr_malloc mi_attr_alloc_size(1);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_new_aligned(size_t size, size_t alignment) mi_attr_malloc mi_attr_alloc_size(1)
    mi_attr_alloc_align(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_new_nothrow(size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_new_aligned_nothrow(size_t size, size_t alignment)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(1) mi_attr_alloc_align(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_new_n(size_t count, size_t size)
    mi_attr_malloc mi_attr_alloc_size2(1, 2);
mi_decl_nodiscard mi_decl_export void* mi_new_realloc(void* p, size_t newsize)
    mi_attr_alloc_size(2);
mi_decl_nodiscard mi_decl_export void* mi_new_reallocn(void* p, size_t newcount, size_t size)
    mi_attr_alloc_size2(2, 3);

/* ---- Heaps ----
   A heap is a set of blocks that can be dropped together. Only the thread that made it may allocate
   from it, collect it, look into it, delete it or destroy it; any thread may free its blocks. Every
   thread has a backing heap of its own from the start, which cannot be deleted or destroyed. When a
   thread ends, its heaps end: their blocks live on, and any thread may come to own the memory
   around them.

   Functions that take a heap do nothing for NULL, and report any other pointer that is not a heap
   of the calling thread as misuse. Functions that allocate do not check it. */

typedef struct mi_heap_s mi_heap_t;

/* The number of an arena, from 1; 0: no particular one. See "Memory handed in" below. */
typedef int mi_arena_id_t;

/* mi_heap_new_ex(0, true, 0). */
mi_decl_nodiscard mi_decl_export mi_heap_t* mi_heap_new(void) mi_attr_noexcept;
/* A new heap of the calling thread. NULL and ENOMEM, or EINVAL if there can be no such tag or there
   is no such arena.

   `heap_tag`, from 0 to 255, names the kind of blocks that will live in it. The visiting functions
   show it. When this thread takes over memory of an ended thread, the blocks of a tag go to a heap
   with that tag and without `allow_destroy`. If there is none, they go to the backing heap, whose
   tag is 0, and have that tag from then on.

   If `allow_destroy` is false, the heap may take blocks of ended threads, and mi_heap_destroy does
   no more to it than mi_heap_delete.

   If `arena_id` is not 0, all memory of the heap is in this arena: see mi_heap_new_in_arena. */
mi_decl_nodiscard mi_decl_export mi_heap_t*
mi_heap_new_ex(int heap_tag, bool allow_destroy, mi_arena_id_t arena_id);
/* Ends the heap. Blocks that are still alive stay valid, and move to the thread's backing heap or
   to the heap that takes blocks of that tag. */
mi_decl_export void mi_heap_delete(mi_heap_t* heap) mi_attr_noexcept;
/* Ends the heap and every block in it, at a cost that grows with its pages, not its blocks. This is
   a free of each block, so no other thread may free one at the same time. */
mi_decl_export void mi_heap_destroy(mi_heap_t* heap) mi_attr_noexcept;
/* The heap that mi_malloc uses in this thread. NULL and ENOMEM in the last exit handlers of a
   thread, which can allocate, but have no heap that outlives a call. */
mi_decl_export mi_heap_t* mi_heap_get_default(void) mi_attr_noexcept;
/* Changes the heap that mi_malloc uses in this thread. Returns the previous one, as
   mi_heap_get_default does. */
mi_decl_export mi_heap_t* mi_heap_set_default(mi_heap_t* heap) mi_attr_noexcept;
/* The backing heap of this thread. NULL like mi_heap_get_default. */
mi_decl_export mi_heap_t* mi_heap_get_backing(void) mi_attr_noexcept;
/* Frees what can be freed. With `force`, also returns free memory to the system now. */
mi_decl_export void mi_heap_collect(mi_heap_t* heap, bool force) mi_attr_noexcept;

/* ---- Blocks of a heap ----
   Like the functions without `heap_`, but the block is of the given heap. One that is resized may
   stay at its place only if it was of this heap before. (mi_realloc and its kin leave a block in
   its heap as long as it need not be copied; a huge one may then have another address.) */

mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_heap_malloc(mi_heap_t* heap, size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void* mi_heap_zalloc(mi_heap_t* heap, size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_calloc(mi_heap_t* heap, size_t count, size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(2, 3);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_mallocn(mi_heap_t* heap, size_t count, size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(2, 3);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_malloc_small(mi_heap_t* heap, size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_zalloc_small(mi_heap_t* heap, size_t size)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2);
mi_decl_nodiscard mi_decl_export void* mi_heap_realloc(mi_heap_t* heap, void* p, size_t newsize)
    mi_attr_noexcept mi_attr_alloc_size(3);
mi_decl_nodiscard mi_decl_export void*
mi_heap_reallocn(mi_heap_t* heap, void* p, size_t count, size_t size)
    mi_attr_noexcept mi_attr_alloc_size2(3, 4);
mi_decl_nodiscard mi_decl_export void* mi_heap_reallocf(mi_heap_t* heap, void* p, size_t newsize)
    mi_attr_noexcept mi_attr_alloc_size(3);
mi_decl_nodiscard mi_decl_export mi_decl_restrict char*
mi_heap_strdup(mi_heap_t* heap, const char* s) mi_attr_noexcept mi_attr_malloc;
mi_decl_nodiscard mi_decl_export mi_decl_restrict char*
mi_heap_strndup(mi_heap_t* heap, const char* s, size_t n) mi_attr_noexcept mi_attr_malloc;
mi_decl_nodiscard mi_decl_export char*
mi_heap_realpath(mi_heap_t* heap, const char* fname, char* resolved_name) mi_attr_noexcept;

mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_malloc_aligned(mi_heap_t* heap, size_t size, size_t alignment)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2) mi_attr_alloc_align(3);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_malloc_aligned_at(mi_heap_t* heap, size_t size, size_t alignment, size_t offset)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_zalloc_aligned(mi_heap_t* heap, size_t size, size_t alignment)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2) mi_attr_alloc_align(3);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_zalloc_aligned_at(mi_heap_t* heap, size_t size, size_t alignment, size_t offset)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_calloc_aligned(mi_heap_t* heap, size_t count, size_t size, size_t alignment)
    mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(2, 3) mi_attr_alloc_align(4);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_calloc_aligned_at(mi_heap_t* heap, size_t count, size_t size, size_t alignment,
                          size_t offset) mi_attr_noexcept mi_attr_malloc mi_attr_alloc_size2(2, 3);
mi_decl_nodiscard mi_decl_export void*
mi_heap_realloc_aligned(mi_heap_t* heap, void* p, size_t newsize, size_t alignment)
    mi_attr_noexcept mi_attr_alloc_size(3) mi_attr_alloc_align(4);
mi_decl_nodiscard mi_decl_export void*
mi_heap_realloc_aligned_at(mi_heap_t* heap, void* p, size_t newsize, size_t alignment,
                           size_t offset) mi_attr_noexcept mi_attr_alloc_size(3);

mi_decl_nodiscard mi_decl_export void* mi_heap_rezalloc(mi_heap_t* heap, void* p, size_t newsize)
    mi_attr_noexcept mi_attr_alloc_size(3);
mi_decl_nodiscard mi_decl_export void*
mi_heap_recalloc(mi_heap_t* heap, void* p, size_t newcount, size_t size)
    mi_attr_noexcept mi_attr_alloc_size2(3, 4);
mi_decl_nodiscard mi_decl_export void*
mi_heap_rezalloc_aligned(mi_heap_t* heap, void* p, size_t newsize, size_t alignment)
    mi_attr_noexcept mi_attr_alloc_size(3) mi_attr_alloc_align(4);
mi_decl_nodiscard mi_decl_export void*
mi_heap_rezalloc_aligned_at(mi_heap_t* heap, void* p, size_t newsize, size_t alignment,
                            size_t offset) mi_attr_noexcept mi_attr_alloc_size(3);
mi_decl_nodiscard mi_decl_export void*
mi_heap_recalloc_aligned(mi_heap_t* heap, void* p, size_t newcount, size_t size, size_t alignment)
    mi_attr_noexcept mi_attr_alloc_size2(3, 4) mi_attr_alloc_align(5);
mi_decl_nodiscard mi_decl_export void*
mi_heap_recalloc_aligned_at(mi_heap_t* heap, void* p, size_t newcount, size_t size,
                            size_t alignment, size_t offset)
    mi_attr_noexcept mi_attr_alloc_size2(3, 4);

/* Like mi_new and mi_new_n. A NULL heap, as mi_heap_new may return, throws std::bad_alloc at
   once. */
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_alloc_new(mi_heap_t* heap, size_t size) mi_attr_malloc mi_attr_alloc_size(2);
mi_decl_nodiscard mi_decl_export mi_decl_restrict void*
mi_heap_alloc_new_n(mi_heap_t* heap, size_t count, size_t size)
    mi_attr_malloc mi_attr_alloc_size2(2, 3);

/* ---- By type ----
   A block for a value of a type, or for an array of `n` of them. The result is a pointer to that
   type. */

#define mi_malloc_tp(tp) ((tp*)mi_malloc(sizeof(tp)))
#define mi_zalloc_tp(tp) ((tp*)mi_zalloc(sizeof(tp)))
#define mi_calloc_tp(tp, n) ((tp*)mi_calloc(n, sizeof(tp)))
#define mi_mallocn_tp(tp, n) ((tp*)mi_mallocn(n, sizeof(tp)))
#define mi_reallocn_tp(p, tp, n) ((tp*)mi_reallocn(p, n, sizeof(tp)))
#define mi_recalloc_tp(p, tp, n) ((tp*)mi_recalloc(p, n, sizeof(tp)))

#define mi_heap_malloc_tp(hp, tp) ((tp*)mi_heap_malloc(hp, sizeof(tp)))
#define mi_heap_zalloc_tp(hp, tp) ((tp*)mi_heap_zalloc(hp, sizeof(tp)))
#define mi_heap_calloc_tp(hp, tp, n) ((tp*)mi_heap_calloc(hp, n, sizeof(tp)))
#define mi_heap_mallocn_tp(hp, tp, n) ((tp*)mi_heap_mallocn(hp, n, sizeof(tp)))
#define mi_heap_reallocn_tp(hp, p, tp, n) ((tp*)mi_heap_reallocn(hp, p, n, sizeof(tp)))
#define mi_heap_recalloc_tp(hp, p, tp, n) ((tp*)mi_heap_recalloc(hp, p, n, sizeof(tp)))

/* ---- Looking into heaps ---- */

/* A run of memory with blocks of one size. It has `reserved` bytes from `blocks` on. The first
   `committed` of these have been laid out as blocks, of which `used` are alive. Block i begins at
   blocks + i * full_block_size, and the program may use `block_size` bytes of it. */
typedef struct mi_heap_area_s {
  void* blocks;
  size_t reserved;
  size_t committed;
  size_t used;
  size_t block_size;
  size_t full_block_size;
  int heap_tag;
} mi_heap_area_t;

/* Called once for an area, with `block` NULL, and then, if asked for, for every live block in it.
   The function returns whether to go on. */
typedef bool mi_block_visit_fun(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                                size_t block_size, void* arg);

/* Visits the areas of a heap of the calling thread; with `visit_blocks`, also the blocks. True if
   it came to the end; false if the visitor stopped it, or the heap or the visitor is not valid.

   The visitor may allocate and free, also in this heap, but may not delete or destroy the heap, nor
   visit it again. A block that it frees before its turn is not shown; a block that it allocates may
   be shown; a block that another thread frees meanwhile may still be shown. A block that one of the
   `_at` functions aligned is shown from where its memory begins, at or before its address. The
   backing heap also holds the thread's other `mi_heap_t`. */
mi_decl_export bool mi_heap_visit_blocks(const mi_heap_t* heap, bool visit_blocks,
                                         mi_block_visit_fun* visitor, void* arg);

/* A sub-process is a group of threads, such as those of one interpreter among several. They take
   over memory only of ended threads of their own group. Any thread may still free any block. */
typedef void* mi_subproc_id_t;

/* The sub-process of threads that were not put into another one. As an argument, NULL stands for it
   too. */
mi_decl_nodiscard mi_decl_export mi_subproc_id_t mi_subproc_main(void);
/* A new sub-process without threads; NULL and ENOMEM. */
mi_decl_nodiscard mi_decl_export mi_subproc_id_t mi_subproc_new(void);
/* Ends a sub-process whose threads have all ended. What they left goes to the main sub-process. If
   it still has threads, that is reported and nothing is done. Does nothing to the main one. */
mi_decl_export void mi_subproc_delete(mi_subproc_id_t subproc);
/* Puts the calling thread into a sub-process until the thread ends. It must be called before the
   thread allocates: if the thread has blocks, or memory that it took over, that is reported and
   nothing is done. */
mi_decl_export void mi_subproc_add_current_thread(mi_subproc_id_t subproc);

/* Like mi_heap_visit_blocks, but visits the memory that ended threads of a sub-process left and no
   thread has taken over. The visitor gets NULL for a heap. If `heap_tag` is not negative, it is
   shown only what was in heaps of that tag. This needs the option visit_abandoned; without it, that
   is reported and the result is false. The option should be set before threads allocate: large
   blocks from before may be missing.

   Any thread may call this. Other threads may allocate and free meanwhile, also these blocks. What
   they free may still be shown, and can be read while the visitor is called for it; what they take
   over is left out. The visitor may allocate and free too, but must not call this function or
   mi_subproc_delete. One thread at a time visits, and others wait for it. */
mi_decl_export bool mi_abandoned_visit_blocks(mi_subproc_id_t subproc_id, int heap_tag,
                                              bool visit_blocks, mi_block_visit_fun* visitor,
                                              void* arg);

/* Guarded blocks, in builds made with MI_GUARDED, end at memory without access, so that the system
   stops a program where it reads or writes beyond the end. In other builds both functions do
   nothing, and the options guarded_… have no effect.

   Of the allocations from the heap whose size lies in the bounds, each `sample_rate`-th gives a
   guarded block; 0: none does. The first is number seed % sample_rate + 1 from now; seed 0 stands
   for a random one. The bounds include `min` and `max`. No block above 1 GiB is guarded, and none
   with an alignment above a system page. A new heap begins with what the options guarded_… say at
   that time. By default they guard nothing; MIHEAP_GUARDED_SAMPLE_RATE=1 guards every block. Only
   the thread that owns the heap may call either function.

   A guarded block ends where the memory without access begins, or less than its alignment before
   that: less than 16 bytes if no larger alignment was asked for. With the option guarded_precise it
   always ends exactly there, and then begins at any address. mi_usable_size is the size that was
   asked for, and any other size makes mi_realloc move the block. A visit shows such a block as it
   was handed out. Each takes two system pages more than an ordinary block, and two mappings; when
   the system has no more of these, blocks are ordinary ones again. */
mi_decl_export void
mi_heap_guarded_set_sample_rate(mi_heap_t* heap, size_t sample_rate, size_t seed);
mi_decl_export void mi_heap_guarded_set_size_bound(mi_heap_t* heap, size_t min, size_t max);

/* Whether p points to, or into, a live block of the heap. p may be any pointer that could be passed
   to mi_free, or was passed to it; also one of another heap or thread. No other thread may free or
   resize the block meanwhile; if it was freed before, no other thread may give memory back to the
   system meanwhile. Without these limits: mi_heap_check_owned. Looks at one page of the heap. */
mi_decl_nodiscard mi_decl_export bool mi_heap_contains_block(mi_heap_t* heap, const void* p);
/* Whether p points to, or into, a live block of the heap, with the bytes that an alignment at an
   offset, or a guard, adds to it. p may be any value, whatever other threads do with it. The time
   grows with the pages of the heap. */
mi_decl_nodiscard mi_decl_export bool mi_heap_check_owned(mi_heap_t* heap, const void* p);
/* mi_heap_check_owned for the heap that mi_malloc uses in this thread. */
mi_decl_nodiscard mi_decl_export bool mi_check_owned(const void* p);

/* ---- Memory handed in, and memory reserved ----
   An arena is memory in one piece that miheap uses before it asks the system for more. The program
   hands it in (mi_manage_os_memory), or has it reserved in advance. It stays an arena until the
   process ends. There can be 256.

   Use         Blocks of up to 2 MiB come from slots of 4 MiB, which are aligned to 4 MiB. A larger
               block takes as many slots next to each other as it needs, with a page of the system
               in front of it. So an arena of n slots has room for one block of n * 4 MiB less a
               page. Blocks aligned to 4 MiB or more are never in an arena.
   Shared      An arena that is not exclusive serves all heaps, unless the option
               disallow_arena_alloc is set. With disallow_os_alloc there is no other memory.
   Exclusive   An exclusive arena serves only heaps that were made for it: mi_heap_new_in_arena.
   Purging     Free memory in an arena is purged like all other (purge_delay): resident memory
               falls, the addresses stay. Pinned memory, such as large and huge pages, is not
               purged.
   Statistics  An arena counts as `reserved` from the start, and as `committed` while it is used.

   `arena_id`, if it is not NULL, receives the arena's id, or 0 if there is none. `numa_node` is the
   node that the memory is on, -1 if that is not known. */

/* Hands in `size` bytes from `start` on: static memory, or a mapping of any kind. miheap uses the 4
   MiB slots in it: it must have room for one at a multiple of mi_arena_min_alignment(). From then
   on it belongs to miheap for good: unmapping it, or using what is not in a block, is misuse.
     is_committed  it can be read and written now. If not, miheap makes it so when it is needed
                   (mprotect), a slot at a time, or as little as possible if the option
                   eager_commit is off
     is_large      it is pinned: large pages, or memory that a device knows
     is_zero       it is all zero now, so that mi_calloc need not clear it
     exclusive     it is only for heaps of this arena
   False, after a warning that says why, if it is too small or partly in use already, there are too
   many arenas, or the system refuses. Nothing has changed then. */
mi_decl_export bool
mi_manage_os_memory_ex(void* start, size_t size, bool is_committed, bool is_large, bool is_zero,
                       int numa_node, bool exclusive, mi_arena_id_t* arena_id) mi_attr_noexcept;
mi_decl_export bool mi_manage_os_memory(void* start, size_t size, bool is_committed, bool is_large,
                                        bool is_zero, int numa_node) mi_attr_noexcept;

/* Reserves `size` bytes, rounded up to 4 MiB. With `commit`, the system must have that much memory
   now, as far as it keeps accounts; without, only addresses are taken. With `allow_large`, the
   memory is in large pages (2 MiB) if the system's pool has that many, and then is pinned; else the
   system is asked for large pages where it finds some. Returns 0 or ENOMEM; errno is left alone. */
mi_decl_export int mi_reserve_os_memory_ex(size_t size, bool commit, bool allow_large,
                                           bool exclusive, mi_arena_id_t* arena_id)
    mi_attr_noexcept;
mi_decl_export int mi_reserve_os_memory(size_t size, bool commit, bool allow_large)
    mi_attr_noexcept;

/* Reserves up to `pages` huge pages (1 GiB, pinned, from the system's pool), on that NUMA node if
   it is not -1 and the node has them. Node numbers are taken modulo the number of nodes. Stops
   after `timeout_msecs` milliseconds; 0: never. Returns 0 if it got at least one page
   (mi_arena_area tells how many), or none was asked for; else ENOMEM. errno is left alone. */
mi_decl_export int mi_reserve_huge_os_pages_at_ex(size_t pages, int numa_node, size_t timeout_msecs,
                                                  bool exclusive, mi_arena_id_t* arena_id)
    mi_attr_noexcept;
mi_decl_export int mi_reserve_huge_os_pages_at(size_t pages, int numa_node, size_t timeout_msecs)
    mi_attr_noexcept;
/* Like mi_reserve_huge_os_pages_at, with the pages and the time divided evenly over the first
   `numa_nodes` nodes; 0: over all (the option use_numa_nodes may say how many these are). Stops
   with ENOMEM at the first node that gives none; what was reserved on the nodes before stays. */
mi_decl_export int mi_reserve_huge_os_pages_interleave(size_t pages, size_t numa_nodes,
                                                       size_t timeout_msecs) mi_attr_noexcept;
/* An older form of mi_reserve_huge_os_pages_interleave, over all nodes. `max_secs` is in seconds.
   *pages_reserved, if not NULL, receives the number of pages. */
mi_decl_export int mi_reserve_huge_os_pages(size_t pages, double max_secs, size_t* pages_reserved)
    mi_attr_noexcept;

/* Where the arena begins. *size, which may be NULL, becomes the bytes of its slots. NULL and 0 if
   there is no such arena. */
mi_decl_nodiscard mi_decl_export void* mi_arena_area(mi_arena_id_t arena_id, size_t* size)
    mi_attr_noexcept;
/* 4 MiB: memory that begins and ends at multiples of this becomes an arena as a whole. */
mi_decl_nodiscard mi_decl_export size_t mi_arena_min_alignment(void) mi_attr_noexcept;
/* Both print a line for each arena, to stderr or the registered output. */
mi_decl_export void mi_arenas_print(void) mi_attr_noexcept;
mi_decl_export void mi_debug_show_arenas(void) mi_attr_noexcept;

/* mi_heap_new_ex(0, true, arena_id): a heap that allocates from this arena only. When the arena is
   full, an allocation gives NULL and ENOMEM. mi_realloc, which names no heap, may move its blocks
   to the default heap's memory.

   mi_heap_destroy gives all that the heap has back to the arena. mi_heap_delete, and the end of the
   thread, leave the blocks that still live where they are, without an owner; any thread may free
   them. Heaps of the arena, when it is full, and mi_collect(true) find what has become free among
   them. If that is not enough, such a heap takes these pages over, to allocate beside the blocks in
   them. A page that was taken over outlives mi_heap_destroy, with all that is in it. A heap made
   without `allow_destroy` takes them over at once. */
mi_decl_nodiscard mi_decl_export mi_heap_t* mi_heap_new_in_arena(mi_arena_id_t arena_id)
    mi_attr_noexcept;

/* True if p, which may be any pointer, points into memory that miheap has for blocks, free or not:
   arenas, what it got from the system for smaller blocks, and living huge blocks. */
mi_decl_nodiscard mi_decl_export bool mi_is_in_heap_region(const void* p) mi_attr_noexcept;

/* ---- Process and threads ---- */

/* The MI_MALLOC_VERSION of the library that runs. */
mi_decl_export int mi_version(void) mi_attr_noexcept;
/* True if malloc and free of this process are ours. */
mi_decl_nodiscard mi_decl_export bool mi_is_redirected(void) mi_attr_noexcept;
/* Sets up miheap. Runs by itself; a call changes only when that happens. */
mi_decl_export void mi_process_init(void) mi_attr_noexcept;
/* Does what the options destroy_on_exit and show_stats ask for at the end. Runs by itself, once; a
   call changes only when that happens. Allocating after it is fine. */
mi_decl_export void mi_process_done(void) mi_attr_noexcept;
/* Makes the thread's backing heap. Runs by itself; a call changes only when that happens. */
mi_decl_export void mi_thread_init(void) mi_attr_noexcept;
/* Ends the calling thread's heaps now, and leaves their live blocks for other threads to take over.
   If the thread allocates later, it begins with a new backing heap. Runs by itself when a thread
   ends. Does nothing in a callback of ours. */
mi_decl_export void mi_thread_done(void) mi_attr_noexcept;
/* mi_heap_collect on every heap of the thread. With `force`, also takes over what ended threads
   left, and returns all free memory of the process to the system. */
mi_decl_export void mi_collect(bool force) mi_attr_noexcept;
/* mi_collect(true). If the thread then still owns more bytes of segments (4 MiB each, in use or
   not) than `target_thread_owned`, it lets go of all of them, with the blocks in them, for any
   thread to allocate from. This is for a thread that is about to sleep for long. If it frees one of
   these blocks, it may take the segment back. A thread that has made heaps keeps what it has. */
mi_decl_export void mi_collect_reduce(size_t target_thread_owned) mi_attr_noexcept;
/* For programs that tell about their pools. Changes nothing. */
mi_decl_export void mi_thread_set_in_threadpool(void) mi_attr_noexcept;
/* Times are in milliseconds, the rest in bytes; page_faults counts those that had to read from a
   disk (the statistics call the others page_reclaims). Any pointer may be NULL. */
mi_decl_export void mi_process_info(size_t* elapsed_msecs, size_t* user_msecs, size_t* system_msecs,
                                    size_t* current_rss, size_t* peak_rss, size_t* current_commit,
                                    size_t* peak_commit, size_t* page_faults) mi_attr_noexcept;

/* ---- Callbacks ----
   Each replaces the previous one; NULL restores ours. They may allocate and free. They must return,
   or end their thread: longjmp out of one is not supported. */

/* A place to free a little at a time; with `force`, all that can be freed. An allocation calls it
   on its slow path, never on the fast one; with `force` when it finds no memory. In a thread that
   has allocated, each mi_collect and mi_heap_collect calls it once, with their `force`, and
   mi_collect_reduce with true. It is never called within itself. It may not end the heap that the
   call is about. `heartbeat` grows with each call in a thread. */
typedef void(mi_cdecl mi_deferred_free_fun)(bool force, unsigned long long heartbeat, void* arg);
mi_decl_export void mi_register_deferred_free(mi_deferred_free_fun* deferred_free, void* arg)
    mi_attr_noexcept;
/* Receives every line that miheap would write to stderr. */
typedef void(mi_cdecl mi_output_fun)(const char* msg, void* arg);
mi_decl_export void mi_register_output(mi_output_fun* out, void* arg) mi_attr_noexcept;
/* Called for misuse, for a tag, an arena or a sub-process that does not exist, and for blocks that
   cannot be had, also those that heaps lie in; not for a bad alignment or a NULL argument, nor for
   a thread's first heap, a new sub-process or reserved memory that cannot be had, of which only
   errno or the result tells. After its line if one is printed (for a block that cannot be had only
   with `verbose`). `err` is
     EINVAL     misuse, such as a pointer that is not ours
     EAGAIN     a double free, if the build notices it: see "Ownership" at the top
     EFAULT     a broken free list, if the build notices it: written to after a free, or freed twice
     ENOMEM     no memory
     EOVERFLOW  count * size overflows, or the size is above PTRDIFF_MAX; errno is ENOMEM then too
     EBUSY      a sub-process is still in use
   It may delete any heap of its thread. If it destroys the heap that an allocation is from, that
   allocation returns a block of a heap that is gone. */
typedef void(mi_cdecl mi_error_fun)(int err, void* arg);
mi_decl_export void mi_register_error(mi_error_fun* fun, void* arg) mi_attr_noexcept;

/* ---- Options ----
   Options are read once from the environment, as MIHEAP_<NAME> or MIMALLOC_<NAME> in capitals;
   MIHEAP_ wins. A switch takes 0/1, off/on, false/true, no/yes, and is on with no text behind the
   `=`. Any other option takes a number; if it is from 0 to 2, these words too. A number may end in
   K, M, G or T, alone or with B or iB: powers of 1024. A value that is malformed or out of range,
   and a MIHEAP_ name that does not exist, is reported once and ignored. A preloaded process that
   reports sets MIHEAP_REPORTED for the processes that it starts, so that they do not. Set-user-id
   programs do not read the environment.

   What mi_option_set changes holds for what happens from then on. Memory that already waits for its
   purge waits as long as it would have, and so may what is freed beside it (in the same 4 MiB);
   mi_collect(true) purges it.

   OPTION(name, kind, default, least, most, what it does)

   SWITCH   0 or 1
   NUMBER   from `least` to `most`
   SIZE     KiB, so that it fits a `long` everywhere; in the environment, a number without a letter
            is bytes, rounded up to KiB

   The enumerators up to allow_thp have the values that they have in mimalloc 2.2, for bindings that
   write them down. Options about things that miheap does not have are accepted; their text says "no
   effect".

   destroy_on_exit: after the program's own exit handlers, the heaps that the thread that calls exit
   made with mi_heap_new end with all their blocks. So does its backing heap where malloc is not
   ours (elsewhere the C library still needs it). Other threads keep their heaps. When a library
   that contains miheap is unloaded, all blocks end. Nothing that runs later may use or free such a
   block. */
#define MI_OPTIONS(OPTION)                                                                      \
  OPTION(show_errors, SWITCH, 1, 0, 1, "print a line on stderr for every error")                \
  OPTION(show_stats, SWITCH, 0, 0, 1, "print statistics when the process ends")                 \
  OPTION(verbose, NUMBER, 0, 0, 3,                                                              \
         "1, 2, 3: print version and options at the start, and failed allocations")             \
  OPTION(eager_commit, SWITCH, 1, 0, 1,                                                         \
         "commit what is not committed 4 MiB at a time; 0: as little as possible")              \
  OPTION(arena_eager_commit, NUMBER, 2, 0, 2,                                                   \
         "1: commit reserved memory at once; 0: as it is used; 2: as 0 if it is counted")       \
  OPTION(purge_decommits, SWITCH, 1, 0, 1,                                                      \
         "purge so that resident memory falls at once; 0: when the system needs it")            \
  OPTION(allow_large_os_pages, NUMBER, 0, 0, 2,                                                 \
         "1, 2: use large pages (2 MiB) where the system has some; they are not purged")        \
  OPTION(reserve_huge_os_pages, NUMBER, 0, 0, 1000000,                                          \
         "reserve so many huge pages (1 GiB) when the process begins")                          \
  OPTION(reserve_huge_os_pages_at, NUMBER, -1, -1, 1023, "on this NUMA node; -1: on all")       \
  OPTION(reserve_os_memory, SIZE, 0, 0, 1L << 30,                                               \
         "reserve so much memory when the process begins")                                      \
  OPTION(segment_cache, NUMBER, 0, 0, 1000000,                                                  \
         "no effect: free segments wait in their chunk, for all threads")                       \
  OPTION(page_reset, SWITCH, 0, 0, 1, "purge as purge_decommits=0 does")                        \
  OPTION(abandoned_page_purge, SWITCH, 0, 0, 1,                                                 \
         "a thread that ends purges its free memory at once")                                   \
  OPTION(segment_reset, SWITCH, 0, 0, 1, "no effect: free segments are purged like free pages") \
  OPTION(eager_commit_delay, NUMBER, 1, 0, 1000000, "no effect: see eager_commit")              \
  OPTION(purge_delay, NUMBER, 100, -1, 3600000,                                                 \
         "1 to 8 times so many milliseconds until unused memory goes back (-1: never, 0: now)") \
  OPTION(use_numa_nodes, NUMBER, 0, 0, 1024,                                                    \
         "the machine has so many NUMA nodes; 0: ask the system")                               \
  OPTION(disallow_os_alloc, SWITCH, 0, 0, 1,                                                    \
         "never ask the system for more memory for blocks: use arenas only")                    \
  OPTION(os_tag, NUMBER, 100, 0, 255, "no effect: only macOS has such tags")                    \
  OPTION(max_errors, NUMBER, 32, -1, 1000000, "print at most this many errors (-1: all)")       \
  OPTION(max_warnings, NUMBER, 32, -1, 1000000, "print at most this many warnings (-1: all)")   \
  OPTION(max_segment_reclaim, NUMBER, 10, 0, 100,                                               \
         "percentage of the abandoned segments that one slow path may adopt")                   \
  OPTION(destroy_on_exit, SWITCH, 0, 0, 1,                                                      \
         "destroy what is alive: at exit the heaps of that thread, at unloading all blocks")    \
  OPTION(arena_reserve, SIZE, 0, 0, 1L << 30,                                                   \
         "reserve addresses in pieces of this size, a multiple of 32 MiB; 0: 32 MiB")           \
  OPTION(arena_purge_mult, NUMBER, 10, 0, 1000000, "no effect: all memory waits purge_delay")   \
  OPTION(purge_extend_delay, NUMBER, 1, 0, 3600000,                                             \
         "no effect: what is freed later does not delay a purge")                               \
  OPTION(abandoned_reclaim_on_free, SWITCH, 1, 0, 1,                                            \
         "a free into memory of an ended thread adopts it, if the thread has none to spare")    \
  OPTION(disallow_arena_alloc, SWITCH, 0, 0, 1, "shared arenas are not used")                   \
  OPTION(retry_on_oom, NUMBER, 0, 0, 3600000,                                                   \
         "milliseconds for which an allocation without memory is tried again")                  \
  OPTION(visit_abandoned, SWITCH, 0, 0, 1, "mi_abandoned_visit_blocks may be called")           \
  OPTION(guarded_min, NUMBER, 0, 0, 1L << 30,                                                   \
         "with MI_GUARDED: the least size of a block that may be guarded")                      \
  OPTION(guarded_max, NUMBER, 1L << 30, 0, 1L << 30,                                            \
         "with MI_GUARDED: the largest size of a block that may be guarded")                    \
  OPTION(guarded_precise, SWITCH, 0, 0, 1,                                                      \
         "with MI_GUARDED: guarded blocks end at the guard exactly, at any alignment")          \
  OPTION(guarded_sample_rate, NUMBER, 0, 0, 1L << 30,                                           \
         "in builds made with MI_GUARDED: one in so many blocks is guarded (0: none)")          \
  OPTION(guarded_sample_seed, NUMBER, 0, 0, 1L << 30,                                           \
         "with MI_GUARDED: which one is the first; 0: a random one")                            \
  OPTION(target_segments_per_thread, NUMBER, 0, 0, 1000000,                                     \
         "no effect: a thread keeps the segments that its blocks are in")                       \
  OPTION(generic_collect, NUMBER, 10000, 1, 1000000,                                            \
         "collect after this many slow-path calls of a thread")                                 \
  OPTION(allow_thp, SWITCH, 1, 0, 1, "let the system use transparent huge pages")               \
  OPTION(background_purge, SWITCH, 1, 0, 1,                                                     \
         "a thread of our own purges what is due when no other does (not in the addon)")        \
  OPTION(cache_reset, SWITCH, 0, 0, 1, "no effect: there is no cache that a purge passes by")   \
  OPTION(secure, NUMBER, 0, 0, 4,                                                               \
         "no effect but, if 1 to 4, a warning: hardened is a build (-DMI_HARDENED=ON)")

/* Names that options had in earlier versions of mimalloc: ALIAS(older name, name). They work in the
   environment too, where the newer name wins. */
#define MI_OPTION_ALIASES(ALIAS)                       \
  ALIAS(large_os_pages, allow_large_os_pages)          \
  ALIAS(eager_region_commit, arena_eager_commit)       \
  ALIAS(reset_decommits, purge_decommits)              \
  ALIAS(allow_decommit, purge_decommits)               \
  ALIAS(reset_delay, purge_delay)                      \
  ALIAS(decommit_delay, purge_delay)                   \
  ALIAS(decommit_extend_delay, purge_extend_delay)     \
  ALIAS(abandoned_page_reset, abandoned_page_purge)    \
  ALIAS(abandoned_page_decommit, abandoned_page_purge) \
  ALIAS(limit_os_alloc, disallow_os_alloc)             \
  ALIAS(segment_decommit_delay, purge_delay)           \
  ALIAS(deprecated_segment_cache, segment_cache)       \
  ALIAS(deprecated_page_reset, page_reset)             \
  ALIAS(deprecated_segment_reset, segment_reset)

typedef enum mi_option_e {
#define MI_OPTION(name, kind, value, least, most, doc) mi_option_##name,
  MI_OPTIONS(MI_OPTION)
#undef MI_OPTION
      _mi_option_last,
#define MI_OPTION(older, name) mi_option_##older = mi_option_##name,
  MI_OPTION_ALIASES(MI_OPTION)
#undef MI_OPTION
} mi_option_t;

/* The value; 0 for an option that does not exist. */
mi_decl_nodiscard mi_decl_export long mi_option_get(mi_option_t option) mi_attr_noexcept;
/* The value, or the nearest one from `min` to `max`. */
mi_decl_nodiscard mi_decl_export long mi_option_get_clamp(mi_option_t option, long min, long max)
    mi_attr_noexcept;
/* The value of a SIZE in bytes; of another option as it is. 0 if it is negative. */
mi_decl_nodiscard mi_decl_export size_t mi_option_get_size(mi_option_t option) mi_attr_noexcept;
/* Sets the value. A switch takes any number but 0 as 1; another option takes the nearest value that
   it may have. For options that act when the process begins (verbose, allow_thp, those with
   reserve_) this is too late. An option that does not exist changes nothing. */
mi_decl_export void mi_option_set(mi_option_t option, long value) mi_attr_noexcept;
/* Like mi_option_set, unless the environment or an earlier mi_option_set chose a value. */
mi_decl_export void mi_option_set_default(mi_option_t option, long value) mi_attr_noexcept;
/* Whether the value is not 0. */
mi_decl_nodiscard mi_decl_export bool mi_option_is_enabled(mi_option_t option) mi_attr_noexcept;
/* Like mi_option_set and mi_option_set_default, with 1 or 0. */
mi_decl_export void mi_option_enable(mi_option_t option) mi_attr_noexcept;
mi_decl_export void mi_option_disable(mi_option_t option) mi_attr_noexcept;
mi_decl_export void mi_option_set_enabled(mi_option_t option, bool enable) mi_attr_noexcept;
mi_decl_export void mi_option_set_enabled_default(mi_option_t option, bool enable) mi_attr_noexcept;
/* Prints every option with its value, one a line. */
mi_decl_export void mi_options_print(void) mi_attr_noexcept;

/* ---- Statistics ----
   Memory, segments, pages, huge blocks and threads are counted, in every build, but on slow paths
   only. Smaller blocks are not counted one by one, since the fast paths count nothing.

   MI_STATS(LEVEL, EVENTS, THREAD_LEVEL, THREAD_EVENTS), each with (name, unit, what it counts)

   LEVEL    how much there is: now, at its highest, and all that was ever added
   EVENTS   how often something happened, or how much in all
   THREAD_  a thread counts for itself. The process's figures get it when the thread ends, after
            each `generic_collect` slow paths, when a level of the thread fell by 64, and when it
            calls a function below. So they lag, and the peak is of what was known at the time.

   A name that mimalloc has too means the same. New rows come last: mi_stats_t only grows. */
#define MI_STATS(LEVEL, EVENTS, THREAD_LEVEL, THREAD_EVENTS)                     \
  LEVEL(reserved, BYTES, "address space taken from the system")                  \
  LEVEL(committed, BYTES, "memory that may be resident")                         \
  LEVEL(malloc_huge, BYTES, "blocks above 2 MiB")                                \
  LEVEL(segments, COUNT, "segments in use")                                      \
  LEVEL(segments_abandoned, COUNT, "segments without an owner")                  \
  THREAD_LEVEL(pages, COUNT, "pages in use, but for those of huge blocks")       \
  LEVEL(threads, COUNT, "threads that allocate")                                 \
  EVENTS(purged, BYTES, "memory given back to the system")                       \
  EVENTS(reset, BYTES, "of that, memory that stays until the system needs it")   \
  EVENTS(purge_calls, COUNT, "calls that gave memory back")                      \
  EVENTS(reset_calls, COUNT, "of those, calls that left it until it is needed")  \
  EVENTS(mmap_calls, COUNT, "mappings made")                                     \
  EVENTS(malloc_huge_count, COUNT, "blocks above 2 MiB")                         \
  THREAD_EVENTS(pages_extended, COUNT, "times that a page laid out more blocks") \
  THREAD_EVENTS(pages_retire, COUNT, "empty pages kept for a while")             \
  THREAD_EVENTS(page_searches, COUNT, "pages looked at by the slow path")        \
  THREAD_EVENTS(slow_calls, COUNT, "calls of the slow path")                     \
  THREAD_EVENTS(segments_reclaimed, COUNT, "abandoned segments adopted")         \
  EVENTS(commit_calls, COUNT, "times that memory became committed")              \
  EVENTS(arena_count, COUNT, "arenas made")

#define MI_STAT_VERSION 1

/* A level, in bytes or a count: 0 <= current <= peak <= total. */
typedef struct mi_stat_count_s {
  int64_t total;
  int64_t peak;
  int64_t current;
} mi_stat_count_t;

typedef struct mi_stat_counter_s {
  int64_t total;
} mi_stat_counter_t;

typedef struct mi_stats_s {
  size_t size;    /* bytes of this structure that mi_stats_get filled in */
  size_t version; /* MI_STAT_VERSION of the library; it changes when a row changes or goes */
  /* Always 0: what only the fast paths could count, and what miheap does not do. Programs read
     these in mimalloc's structure. */
  mi_stat_count_t page_committed;
  mi_stat_count_t pages_abandoned;
  mi_stat_count_t malloc_normal;
  mi_stat_count_t malloc_requested;
  mi_stat_count_t segments_cache;
  mi_stat_counter_t malloc_normal_count;
  mi_stat_counter_t malloc_guarded_count;
  mi_stat_counter_t arena_rollback_count;
  mi_stat_counter_t arena_purges;
  mi_stat_counter_t page_searches_count;
  mi_stat_counter_t pages_reclaim_on_alloc;
  mi_stat_counter_t pages_reclaim_on_free;
  mi_stat_counter_t pages_reabandon_full;
  mi_stat_counter_t pages_unabandon_busy_wait;
  /* The rows of MI_STATS. */
#define MI_STAT_COUNT(name, unit, doc) mi_stat_count_t name;
#define MI_STAT_COUNTER(name, unit, doc) mi_stat_counter_t name;
  MI_STATS(MI_STAT_COUNT, MI_STAT_COUNTER, MI_STAT_COUNT, MI_STAT_COUNTER)
#undef MI_STAT_COUNT
#undef MI_STAT_COUNTER
} mi_stats_t;

/* The process's figures. `stats_size` is sizeof(mi_stats_t) as the caller was compiled: rows that
   only a later library has are left out, and rows that an earlier library lacks are 0. Each figure
   is right by itself; together they are of about the same time. */
mi_decl_export void mi_stats_get(size_t stats_size, mi_stats_t* stats) mi_attr_noexcept;
/* The process's figures, its times and memory, and the options, as JSON:
     {"version": 1, "miheap_version": "0.1.0", "process": {"elapsed_msecs": 5, ...},
      "reserved": {"total": 1, "peak": 1, "current": 1}, "purged": 1, ..., "options": {...}}
   The text is in `buf`, ended by a 0; NULL if `buf_size` bytes are too few. If `buf` is NULL, it is
   in a new block, which the caller must free by mi_free; NULL and ENOMEM if there is no memory. */
mi_decl_export char* mi_stats_get_json(size_t buf_size, char* buf) mi_attr_noexcept;
/* Starts counting again: events at 0, peak and total at what there is now. */
mi_decl_export void mi_stats_reset(void) mi_attr_noexcept;
/* Adds what the calling thread has counted to the process's figures. The functions here that read
   these do so themselves. */
mi_decl_export void mi_stats_merge(void) mi_attr_noexcept;
/* Prints the table that MIHEAP_SHOW_STATS=1 prints at exit, with a call of `out` for each line.
   NULL for `out` stands for the registered output, or stderr. */
mi_decl_export void mi_stats_print_out(mi_output_fun* out, void* arg) mi_attr_noexcept;
/* mi_stats_print_out(NULL, NULL). The argument is ignored. */
mi_decl_export void mi_stats_print(void* out) mi_attr_noexcept;
/* Like mi_stats_print_out, but prints what the calling thread has counted since it began, and what
   its heaps hold now. */
mi_decl_export void mi_thread_stats_print_out(mi_output_fun* out, void* arg) mi_attr_noexcept;

#if defined(__cplusplus)
}
#endif

/* ---- Allocators for the containers of C++ ----
   An allocation that fails throws, as mi_new does. The type may have any alignment up to 4096: its
   size is a multiple of its alignment, and blocks of such a size are aligned to it. In builds for
   valgrind and AddressSanitizer, which put bytes in front of a block, up to 16. */
#if defined(__cplusplus)
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

template <class T> struct _mi_stl_allocator_base {
  typedef T value_type;
  typedef T* pointer;
  typedef const T* const_pointer;
  typedef T& reference;
  typedef const T& const_reference;
  typedef std::size_t size_type;
  typedef std::ptrdiff_t difference_type;
  typedef std::true_type propagate_on_container_copy_assignment;
  typedef std::true_type propagate_on_container_move_assignment;
  typedef std::true_type propagate_on_container_swap;

  size_type max_size() const noexcept { return PTRDIFF_MAX / sizeof(T); }
  pointer address(reference x) const noexcept { return std::addressof(x); }
  const_pointer address(const_reference x) const noexcept { return std::addressof(x); }
  template <class U, class... Args> void construct(U* p, Args&&... args) {
    ::new (static_cast<void*>(p)) U(std::forward<Args>(args)...);
  }
  template <class U> void destroy(U* p) noexcept { p->~U(); }
};

/* Allocates from the default heap of the calling thread. Any two are equal. */
template <class T> struct mi_stl_allocator : _mi_stl_allocator_base<T> {
  typedef std::true_type is_always_equal;
  template <class U> struct rebind { typedef mi_stl_allocator<U> other; };

  mi_stl_allocator() noexcept = default;
  template <class U> mi_stl_allocator(const mi_stl_allocator<U>&) noexcept {}

  mi_decl_nodiscard T* allocate(std::size_t count, const void* = nullptr) {
    return static_cast<T*>(mi_new_n(count, sizeof(T)));
  }
  void deallocate(T* p, std::size_t) noexcept { mi_free(p); }
  mi_stl_allocator select_on_container_copy_construction() const noexcept { return *this; }
};

template <class T, class U>
bool operator==(const mi_stl_allocator<T>&, const mi_stl_allocator<U>&) noexcept {
  return true;
}
template <class T, class U>
bool operator!=(const mi_stl_allocator<T>&, const mi_stl_allocator<U>&) noexcept {
  return false;
}

/* Allocates from a heap of its own, which it shares with its copies and with the containers they
   are given to, and which ends with the last of them; or from a heap that it is given, which the
   caller must end after them. As with any heap, only one thread may allocate from it, and that
   thread must be the last to hold it. Two are equal if they have the same heap. */
template <class T, bool destroys> struct _mi_heap_stl_allocator_base : _mi_stl_allocator_base<T> {
  typedef std::false_type is_always_equal;

  mi_decl_nodiscard T* allocate(std::size_t count, const void* = nullptr) {
    return static_cast<T*>(mi_heap_alloc_new_n(heap.get(), count, sizeof(T)));
  }
  void collect(bool force) { mi_heap_collect(heap.get(), force); }
  template <class U>
  bool is_equal(const _mi_heap_stl_allocator_base<U, destroys>& other) const noexcept {
    return heap == other.heap;
  }

  /* Copies only: an allocator that is moved from keeps its heap, and so can be used again. */
  _mi_heap_stl_allocator_base(const _mi_heap_stl_allocator_base&) noexcept = default;
  _mi_heap_stl_allocator_base& operator=(const _mi_heap_stl_allocator_base&) noexcept = default;

protected:
  _mi_heap_stl_allocator_base()
      : heap(mi_heap_new(), destroys ? mi_heap_destroy : mi_heap_delete) {}
  explicit _mi_heap_stl_allocator_base(mi_heap_t* given) : heap(given, leave) {}
  template <class U>
  _mi_heap_stl_allocator_base(const _mi_heap_stl_allocator_base<U, destroys>& other) noexcept
      : heap(other.heap) {}

private:
  template <class U, bool d> friend struct _mi_heap_stl_allocator_base;
  static void leave(mi_heap_t*) {}
  std::shared_ptr<mi_heap_t> heap;
};

/* Deletes its own heap: blocks that are still alive stay valid. */
template <class T> struct mi_heap_stl_allocator : _mi_heap_stl_allocator_base<T, false> {
  template <class U> struct rebind { typedef mi_heap_stl_allocator<U> other; };

  mi_heap_stl_allocator() {}
  mi_heap_stl_allocator(mi_heap_t* given) : _mi_heap_stl_allocator_base<T, false>(given) {}
  template <class U>
  mi_heap_stl_allocator(const mi_heap_stl_allocator<U>& other) noexcept
      : _mi_heap_stl_allocator_base<T, false>(other) {}

  void deallocate(T* p, std::size_t) noexcept { mi_free(p); }
  mi_heap_stl_allocator select_on_container_copy_construction() const noexcept { return *this; }
};

template <class T, class U>
bool operator==(const mi_heap_stl_allocator<T>& a, const mi_heap_stl_allocator<U>& b) noexcept {
  return a.is_equal(b);
}
template <class T, class U>
bool operator!=(const mi_heap_stl_allocator<T>& a, const mi_heap_stl_allocator<U>& b) noexcept {
  return !a.is_equal(b);
}

/* Destroys its own heap. Deallocating does nothing, so nothing is freed before. */
template <class T> struct mi_heap_destroy_stl_allocator : _mi_heap_stl_allocator_base<T, true> {
  template <class U> struct rebind { typedef mi_heap_destroy_stl_allocator<U> other; };

  mi_heap_destroy_stl_allocator() {}
  mi_heap_destroy_stl_allocator(mi_heap_t* given) : _mi_heap_stl_allocator_base<T, true>(given) {}
  template <class U>
  mi_heap_destroy_stl_allocator(const mi_heap_destroy_stl_allocator<U>& other) noexcept
      : _mi_heap_stl_allocator_base<T, true>(other) {}

  void deallocate(T*, std::size_t) noexcept {}
  mi_heap_destroy_stl_allocator select_on_container_copy_construction() const noexcept {
    return *this;
  }
};

template <class T, class U>
bool operator==(const mi_heap_destroy_stl_allocator<T>& a,
                const mi_heap_destroy_stl_allocator<U>& b) noexcept {
  return a.is_equal(b);
}
template <class T, class U>
bool operator!=(const mi_heap_destroy_stl_allocator<T>& a,
                const mi_heap_destroy_stl_allocator<U>& b) noexcept {
  return !a.is_equal(b);
}
#endif
#endif
