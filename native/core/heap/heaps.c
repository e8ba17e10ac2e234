/* The heaps of a thread are in a list, and in a tree, which finds one among thousands by its
   address. The tree is a treap (Seidel and Aragon, "Randomized Search Trees", Algorithmica 1996):
   it is ordered by address, and no heap has a higher priority than the one above it. The priorities
   follow from the addresses. The backing heap is the root, whatever its priority. */
#include "heap/heaps.h"

#include "heap/heap.h"
#include "heap/thread.h"

static uint64_t priority(const mi_heap_t* heap) {
  const uint64_t odd = 0x9E3779B97F4A7C15; /* 2^64 divided by the golden ratio */
  uint64_t x = (uintptr_t)heap * odd;
  return (x ^ x >> 32) * odd; /* heaps lie side by side: one product would rise and fall evenly */
}

/* The link that leads to `to` from `from`, a heap above it or above the place that it has in the
   tree. */
static mi_heap_t** link_towards(mi_heap_t* from, const mi_heap_t* to) {
  return (uintptr_t)to < (uintptr_t)from ? &from->lower : &from->higher;
}

static void tree_add(mi_heap_t* heap) {
  mi_heap_t** link = link_towards(&heap->tld->backing, heap);
  while (*link != NULL && priority(*link) >= priority(heap)) link = link_towards(*link, heap);
  /* What was there is divided: it comes below the heap, at both sides. */
  mi_heap_t* rest = *link;
  *link = heap;
  mi_heap_t** lower = &heap->lower;
  mi_heap_t** higher = &heap->higher;
  while (rest != NULL) {
    if ((uintptr_t)rest < (uintptr_t)heap) {
      *lower = rest;
      lower = &rest->higher;
      rest = rest->higher;
    } else {
      *higher = rest;
      higher = &rest->lower;
      rest = rest->lower;
    }
  }
  *lower = *higher = NULL;
}

static void tree_remove(mi_heap_t* heap) {
  mi_heap_t** link = link_towards(&heap->tld->backing, heap);
  while (*link != heap) link = link_towards(*link, heap);
  /* What is below it is merged, and takes its place. */
  mi_heap_t* lower = heap->lower;
  mi_heap_t* higher = heap->higher;
  while (lower != NULL && higher != NULL) {
    if (priority(lower) > priority(higher)) {
      *link = lower;
      link = &lower->higher;
      lower = lower->higher;
    } else {
      *link = higher;
      link = &higher->lower;
      higher = higher->lower;
    }
  }
  *link = lower != NULL ? lower : higher;
}

/* ---- Heirs ----
   The heir of a tag takes over what other heaps of that tag leave, the heir in an arena what heaps
   leave there. The heaps that may be the heir of one tag, or in one arena, lie side by side in the
   list of heaps, and the first of them is the heir. The heirs are a list of their own, which has at
   most one for each tag and arena. */

static bool may_inherit(const mi_heap_t* heap) {
  return !heap->allow_destroy &&
         (mi_heap_is_restricted(heap) || heap->tag != heap->tld->backing.tag);
}

/* What a heap may inherit: that of an arena or, if that is NULL, of a tag. */
typedef struct estate_s {
  const mi_arena_t* arena;
  uint8_t tag;
} estate_t;

static estate_t estate_of(const mi_heap_t* heap) {
  return (estate_t){heap->segments->arena, heap->tag};
}

static bool is_for(const mi_heap_t* heap, estate_t estate) {
  return heap->segments->arena == estate.arena && (estate.arena != NULL || heap->tag == estate.tag);
}

/* The link to the heir; to NULL if there is none. */
static mi_heap_t** link_to_heir(mi_tld_t* tld, estate_t estate) {
  mi_heap_t** link = &tld->backing.heir;
  while (*link != NULL && !is_for(*link, estate)) link = &(*link)->heir;
  return link;
}

/* Adds the heap to the list behind `prev`; NULL: at the front. */
static void list_add(mi_heap_t* heap, mi_heap_t* prev) {
  mi_heap_t** link = prev == NULL ? &heap->tld->heaps : &prev->next;
  heap->prev = prev;
  heap->next = *link;
  if (heap->next != NULL) heap->next->prev = heap;
  *link = heap;
}

static void list_remove(mi_heap_t* heap) {
  if (heap->next != NULL) heap->next->prev = heap->prev;
  *(heap->prev != NULL ? &heap->prev->next : &heap->tld->heaps) = heap->next;
}

static void add_heir(mi_heap_t* heap) {
  mi_heap_t** link = link_to_heir(heap->tld, estate_of(heap));
  list_add(heap, *link);
  if (*link == NULL) *link = heap;
}

/* Before the heap leaves the list. */
static void remove_heir(mi_heap_t* heap) {
  mi_heap_t** link = link_to_heir(heap->tld, estate_of(heap));
  if (*link != heap) return;
  mi_heap_t* next = heap->next; /* the backing heap comes last */
  bool succeeds = may_inherit(next) && is_for(next, estate_of(heap));
  if (succeeds) next->heir = heap->heir;
  *link = succeeds ? next : heap->heir;
}

void mi_heap_link(mi_heap_t* heap) {
  if (may_inherit(heap)) {
    add_heir(heap);
  } else {
    list_add(heap, NULL);
  }
  if (heap != &heap->tld->backing) tree_add(heap);
}

void mi_heap_unlink(mi_heap_t* heap) {
  if (may_inherit(heap)) remove_heir(heap);
  list_remove(heap);
  tree_remove(heap);
}

bool mi_heap_is_mine(const mi_heap_t* heap) {
  if (!mi_heap_is_initialized(mi_heap_default)) return false;
  mi_heap_t* at = &mi_heap_default->tld->backing;
  while (at != NULL && at != heap) at = *link_towards(at, heap);
  return at != NULL;
}

mi_heap_t* mi_heap_for_tag(mi_tld_t* tld, uint8_t tag) {
  mi_heap_t* heir = *link_to_heir(tld, (estate_t){NULL, tag});
  return heir != NULL ? heir : &tld->backing;
}

mi_heap_t* mi_heap_for_arena(mi_tld_t* tld, const mi_arena_t* arena) {
  return *link_to_heir(tld, (estate_t){arena, 0});
}
