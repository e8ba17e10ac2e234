/* The heaps of a thread. */
#ifndef MI_HEAPS_H
#define MI_HEAPS_H

#include "types.h"

/* Adds the heap to those of its thread. heap->tld is set already, and so are its tag and whether it
   may be destroyed or is restricted to an arena: these must not change before mi_heap_unlink. */
void mi_heap_link(mi_heap_t* heap);
/* Takes it out again. Not for the backing heap. */
void mi_heap_unlink(mi_heap_t* heap);

/* Whether the pointer, which may be anything, is a heap of the calling thread. Only compares
   addresses. */
bool mi_heap_is_mine(const mi_heap_t* heap);

/* The heap of the thread that takes over pages which other threads left under this tag: one with
   that tag that may not be destroyed and is not restricted to an arena, or else the backing
   heap. */
mi_heap_t* mi_heap_for_tag(mi_tld_t* tld, uint8_t tag);
/* The heap of the thread that adopts what other threads left in this arena: one that was made for
   the arena and may not be destroyed; or NULL. */
mi_heap_t* mi_heap_for_arena(mi_tld_t* tld, const mi_arena_t* arena);

#endif
