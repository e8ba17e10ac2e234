/* Arenas: memory that the program handed in, or had reserved in advance. An arena stays for ever.
   Its slots are ordinary ones, in chunks: each aligned 32 MiB in it is a whole chunk, and what is
   left at its ends are chunks of fewer slots.

   All heaps use a shared arena before they ask the system for more. An exclusive arena is used only
   by heaps that were made for it (mi_heap_new_in_arena), and these use nothing else.

   Any thread may call any of these functions. */
#ifndef MI_ARENA_H
#define MI_ARENA_H

#include "segment/slot_ref.h"

#define MI_ARENA_MOST 256

/* Makes an arena of the slots that fit in `size` bytes from `start` on. `wanted` has the flags and
   numa_node. From then on the memory is the arena's. NULL if that cannot be, after a warning that
   says why. */
mi_arena_t* mi_arena_add(const mi_arena_t* wanted, void* start, size_t size);

/* The arena with this id, or NULL. */
mi_arena_t* mi_arena_with_id(mi_arena_id_t id);

/* The number of arenas. */
size_t mi_arena_count(void);
/* The arena with this index, which is below mi_arena_count(). */
mi_arena_t* mi_arena_at(size_t index);

/* True if p lies in an arena. */
bool mi_is_in_arena(const void* p);

/* The arena that the chunk's slots belong to; NULL: the chunk is from the system. Acquire pairs
   with the release in mi_chunks_publish. The answer is final for a thread that found a free slot,
   dirty units or an abandoned segment in the chunk. */
mi_inline mi_arena_t* mi_arena_of(const mi_chunk_t* chunk) {
  return atomic_load_explicit(&chunk->arena, memory_order_acquire);
}

/* True if a heap may have memory of this chunk. `wanted`: the arena that the heap was made for;
   NULL: none. */
mi_inline bool mi_arena_admits(const mi_chunk_t* chunk, const mi_arena_t* wanted) {
  const mi_arena_t* arena = mi_arena_of(chunk);
  return wanted == NULL ? arena == NULL || !arena->exclusive : arena == wanted;
}

/* Takes a slot of the arena, and units in it, as mi_slot_take does. While slots are being purged,
   or other threads hold slots that they may give back at once, it looks again for a while. False if
   it finds none. */
bool mi_arena_take_slot(mi_arena_t* arena, mi_slot_ref_t* ref, uint64_t mask, bool* zero);

/* Takes `count` slots next to each other, with all their units, for one segment; from `arena`, or
   if that is NULL from some shared arena. *zero: they read as zero. False if there are none. */
bool mi_arena_take_run(mi_arena_t* arena, size_t count, mi_slot_ref_t* first, bool* zero);
/* Adds to the run its slots from number `from` to before `to`, all or none. *zero: they read as
   zero. False if one of them is not free. */
bool mi_arena_extend_run(mi_slot_ref_t first, size_t from, size_t to, bool* zero);
/* Releases the slots of the run from number `from` to before `to`. All their units become dirty. */
void mi_arena_release_run(mi_slot_ref_t first, size_t from, size_t to);

/* In a forked child: ends what lost threads were doing to arenas. */
void mi_arenas_in_forked_child(void);

/* Prints a line for each arena. */
void mi_arenas_print_to(mi_output_fun* out, void* arg);

#endif
