/* Arenas: memory that the program handed in, or had reserved in advance. An arena stays for ever.
   Its slots are ordinary ones, in chunks: the aligned 32 MiB in it are whole chunks, and what is
   left at its ends are chunks of fewer slots.

   A shared arena is used by all heaps before the system is asked for more. An exclusive one is used
   by those heaps only that were made for it (mi_heap_new_in_arena), and these use nothing else.

   Any thread may call anything here. */
#ifndef MI_ARENA_H
#define MI_ARENA_H

#include "segment/slot_ref.h"

#define MI_ARENA_MOST 256

/* Makes an arena of the slots that fit in `size` bytes from `start` on. `wanted` has the flags and
   numa_node. NULL, after a warning that says why. The memory is the arena's from then on. */
mi_arena_t* mi_arena_add(const mi_arena_t* wanted, void* start, size_t size);

/* The arena with this id, or NULL. */
mi_arena_t* mi_arena_with_id(mi_arena_id_t id);

/* All of them, by an index below the count. */
size_t mi_arena_count(void);
mi_arena_t* mi_arena_at(size_t index);

/* True if p lies in an arena. */
bool mi_is_in_arena(const void* p);

/* Which arena's slots a chunk has; NULL: it is from the system. Sees the arena of a chunk that
   somebody found a free slot, dirty units or an abandoned segment in. */
mi_inline mi_arena_t* mi_arena_of(const mi_chunk_t* chunk) {
  return atomic_load_explicit(&chunk->arena, memory_order_acquire);
}

/* True if a heap made for `wanted` (NULL: an ordinary one) may have memory of this chunk. */
mi_inline bool mi_arena_admits(const mi_chunk_t* chunk, const mi_arena_t* wanted) {
  const mi_arena_t* arena = mi_arena_of(chunk);
  return wanted == NULL ? arena == NULL || !arena->exclusive : arena == wanted;
}

/* Takes a slot of the arena; see mi_slot_take. False if there is none, also none that is only
   being purged. */
bool mi_arena_take_slot(mi_arena_t* arena, mi_slot_ref_t* ref, uint64_t mask, bool* zero);

/* Takes `count` slots next to each other, with all their units, for one segment. `arena` NULL: of
   some shared arena. False if there are none. */
bool mi_arena_take_run(mi_arena_t* arena, size_t count, mi_slot_ref_t* first, bool* zero);
/* The slots of the run from number `from` to before `to`: takes them too, or none; gives them back. */
bool mi_arena_extend_run(mi_slot_ref_t first, size_t from, size_t to, bool* zero);
void mi_arena_release_run(mi_slot_ref_t first, size_t from, size_t to);

/* What other threads were doing to arenas, they will not finish. */
void mi_arenas_in_forked_child(void);

/* Prints a line for each arena. */
void mi_arenas_print_to(mi_output_fun* out, void* arg);

#endif
