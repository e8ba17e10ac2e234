/* A slot, named by its chunk and its index in it, and a walk over all slots. */
#ifndef MI_SLOT_REF_H
#define MI_SLOT_REF_H

#include "options/report.h"
#include "segment/directory.h"

typedef struct mi_slot_ref_s {
  mi_chunk_t* chunk;
  unsigned index;
} mi_slot_ref_t;

mi_inline uint8_t* mi_slot_start(mi_slot_ref_t ref) {
  return ref.chunk->start + ((size_t)ref.index << MI_SEGMENT_SHIFT);
}
mi_inline mi_slot_t* mi_slot_state(mi_slot_ref_t ref) {
  mi_assert(ref.index < MI_SLOTS_PER_CHUNK);
  return &ref.chunk->slots[ref.index];
}

/* A walk over the slots of some chunks, free or taken, and also beyond slot_count of a chunk:
     for (mi_slot_walk_t walk = mi_walk_slots(); mi_next_slot(&walk);) use(walk.slot);
   Where it stops early, another one can go on at `next`. */
typedef struct mi_slot_walk_s {
  mi_slot_ref_t slot;
  size_t next; /* slots are numbered through all chunks */
  size_t end;  /* behind it comes the first one again, if some are left */
  size_t left; /* how many slots are still to come */
} mi_slot_walk_t;

mi_inline mi_slot_walk_t mi_walk_slots_of(size_t first_chunk, size_t count) {
  return (mi_slot_walk_t){.next = first_chunk * MI_SLOTS_PER_CHUNK,
                          .end = (first_chunk + count) * MI_SLOTS_PER_CHUNK,
                          .left = count * MI_SLOTS_PER_CHUNK};
}
mi_inline mi_slot_walk_t mi_walk_slots(void) { return mi_walk_slots_of(0, mi_chunk_count()); }
/* From this slot on, to the last one. */
mi_inline mi_slot_walk_t mi_walk_slots_from(size_t slot) {
  mi_slot_walk_t walk = mi_walk_slots();
  walk.next = slot < walk.end ? slot : walk.end;
  walk.left = walk.end - walk.next;
  return walk;
}
/* All slots, beginning with this one. */
mi_inline mi_slot_walk_t mi_walk_slots_around(size_t slot) {
  mi_slot_walk_t walk = mi_walk_slots();
  walk.next = slot < walk.end ? slot : 0;
  return walk;
}
mi_inline bool mi_next_slot(mi_slot_walk_t* walk) {
  if (walk->left == 0) return false;
  if (walk->next == walk->end) walk->next = 0;
  walk->slot.chunk = mi_chunk_at(walk->next / MI_SLOTS_PER_CHUNK);
  walk->slot.index = (unsigned)(walk->next % MI_SLOTS_PER_CHUNK);
  walk->next++;
  walk->left--;
  return true;
}

#endif
