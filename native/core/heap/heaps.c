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

/* Whether mi_heap_for_tag may choose it for its tag. */
static bool is_heir(const mi_heap_t* heap) {
  return heap != &heap->tld->backing && !heap->allow_destroy && !mi_heap_is_restricted(heap);
}

void mi_heap_link(mi_heap_t* heap) {
  mi_tld_t* tld = heap->tld;
  heap->next = tld->heaps;
  heap->prev = NULL;
  if (heap->next != NULL) heap->next->prev = heap;
  tld->heaps = heap;
  if (heap != &tld->backing) tree_add(heap);
  if (is_heir(heap)) tld->backing.heirs++;
}

void mi_heap_unlink(mi_heap_t* heap) {
  mi_tld_t* tld = heap->tld;
  if (heap->next != NULL) heap->next->prev = heap->prev;
  *(heap->prev != NULL ? &heap->prev->next : &tld->heaps) = heap->next;
  tree_remove(heap);
  if (is_heir(heap)) tld->backing.heirs--;
}

bool mi_heap_is_mine(const mi_heap_t* heap) {
  if (!mi_heap_is_initialized(mi_heap_default)) return false;
  mi_heap_t* at = &mi_heap_default->tld->backing;
  while (at != NULL && at != heap) at = *link_towards(at, heap);
  return at != NULL;
}

mi_heap_t* mi_heap_for_tag(mi_tld_t* tld, uint8_t tag) {
  if (tld->backing.tag == tag || tld->backing.heirs == 0) return &tld->backing;
  for (mi_heap_t* heap = tld->heaps; heap != NULL; heap = heap->next) {
    if (heap->tag == tag && is_heir(heap)) return heap;
  }
  return &tld->backing;
}
