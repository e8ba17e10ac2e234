/* A shadow: what a program knows of its blocks, to check a visit against. */
#ifndef MI_TEST_SHADOW_H
#define MI_TEST_SHADOW_H

#include "check.h"
#include "miheap.h"

enum { SHADOW_MOST = 4000 };

typedef struct shadow_block_s {
  uint8_t* p;  /* as it was handed out; NULL: not alive */
  size_t size; /* that was asked for */
  int shown;   /* times that a visit showed it */
} shadow_block_t;

typedef struct shadow_s {
  shadow_block_t blocks[SHADOW_MOST];
  size_t count;
  /* What a visit showed: areas, the sum of the areas' `used`, and blocks. */
  size_t areas;
  size_t used;
  size_t shown;
  int tag;               /* the tag that every area must have; -1: any */
  const mi_heap_t* heap; /* the heap that every call must name */
  mi_heap_area_t area;   /* the last one */
} shadow_t;

static inline void shadow_add(shadow_t* shadow, void* p, size_t size) {
  CHECK(p != NULL);
  CHECK_CMP(shadow->count, <, SHADOW_MOST);
  shadow->blocks[shadow->count++] = (shadow_block_t){p, size, 0};
}

/* The live block in the `size` bytes that a visit shows as a block; NULL if there is none. At most
   one may be there. */
static inline shadow_block_t* shadow_find(shadow_t* shadow, const void* block, size_t size) {
  shadow_block_t* found = NULL;
  for (size_t i = 0; i < shadow->count; i++) {
    shadow_block_t* b = &shadow->blocks[i];
    if (b->p == NULL) continue;
    /* A guarded block of no bytes is known by its address alone. */
    if (b->p != block && (uintptr_t)b->p - (uintptr_t)block >= size) continue;
    CHECK_PTR(found, ==, NULL);
    found = b;
  }
  return found;
}

/* The visitor: checks what is shown against the shadow, which is `arg`. */
static inline bool shadow_show(const mi_heap_t* heap, const mi_heap_area_t* area, void* block,
                               size_t block_size, void* arg) {
  shadow_t* shadow = arg;
  CHECK_PTR(heap, ==, shadow->heap);
  /* A guarded block is shown as it was handed out. */
  bool guarded = MI_GUARDED && block_size < area->block_size;
  CHECK(guarded || block_size == area->block_size);
  CHECK_CMP(area->full_block_size, >=, area->block_size);
  CHECK_CMP(area->committed, <=, area->reserved);
  CHECK_CMP(area->used * area->full_block_size, <=, area->committed);
  CHECK(shadow->tag < 0 || shadow->tag == area->heap_tag);
  if (block == NULL) {
    shadow->areas++;
    shadow->used += area->used;
    shadow->area = *area;
    return true;
  }
  CHECK_PTR(area->blocks, ==, shadow->area.blocks); /* blocks follow their area */
  size_t offset = (size_t)((uint8_t*)block - (uint8_t*)area->blocks);
  CHECK_CMP(offset, <, area->committed);
  CHECK(guarded || offset % area->full_block_size == 0);
  shadow->shown++;
  shadow_block_t* found = shadow_find(shadow, block, block_size);
  CHECK(found != NULL); /* it is alive */
  CHECK_CMP((size_t)(found->p - (uint8_t*)block) + found->size, <=, block_size);
  CHECK_EQ(found->shown, 0);
  found->shown = 1;
  return true;
}

/* The number of live blocks. */
static inline size_t shadow_live(const shadow_t* shadow) {
  size_t live = 0;
  for (size_t i = 0; i < shadow->count; i++) live += shadow->blocks[i].p != NULL;
  return live;
}

/* Forgets what the last visit showed. */
static inline void shadow_restart(shadow_t* shadow) {
  shadow->areas = shadow->used = shadow->shown = 0;
  for (size_t i = 0; i < shadow->count; i++) shadow->blocks[i].shown = 0;
}

/* Checks that the visit showed every live block, once, and nothing else. */
static inline void shadow_check(const shadow_t* shadow) {
  for (size_t i = 0; i < shadow->count; i++) {
    if (shadow->blocks[i].p != NULL) CHECK_EQ(shadow->blocks[i].shown, 1);
  }
  CHECK_EQ(shadow->shown, shadow_live(shadow));
  CHECK_EQ(shadow->used, shadow_live(shadow));
}

#endif
