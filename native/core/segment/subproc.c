#include "segment/subproc.h"

#include "os/os.h"
#include "segment/memory.h"

mi_subproc_t mi_subproc_first;
mi_subproc_t mi_subproc_communal;

/* Sub-processes are made in blocks, which stay until mi_subprocs_end, so that any id may be looked
   up at any time. */
enum { PER_BLOCK = 128 };

typedef struct block_s {
  _Atomic(struct block_s*) next;
  mi_subproc_t subprocs[PER_BLOCK];
} block_t;

static block_t blocks;

static block_t* next_of(block_t* block) {
  return atomic_load_explicit(&block->next, memory_order_acquire);
}

static bool claim(mi_subproc_t* subproc) {
  size_t nobody = 0;
  return atomic_compare_exchange_strong(&subproc->users, &nobody, 1);
}

static block_t* add_block(block_t* last) {
  block_t* made = mi_memory_map(sizeof(block_t), MI_WORD_SIZE, MI_MAP_MEMORY);
  if (made == NULL) return NULL;
  block_t* other = NULL;
  if (atomic_compare_exchange_strong_explicit(&last->next, &other, made, memory_order_acq_rel,
                                              memory_order_acquire)) {
    return made;
  }
  mi_memory_unmap(made, sizeof(block_t));
  return other;
}

mi_subproc_t* mi_subproc_make(void) {
  for (block_t* block = &blocks; block != NULL;) {
    for (mi_subproc_t* s = block->subprocs; s < block->subprocs + PER_BLOCK; s++) {
      if (claim(s)) return s;
    }
    block_t* next = next_of(block);
    block = next != NULL ? next : add_block(block);
  }
  return NULL;
}

mi_subproc_t* mi_subproc_find(void* id) {
  if (id == NULL || id == &mi_subproc_first) return &mi_subproc_first;
  for (block_t* block = &blocks; block != NULL; block = next_of(block)) {
    uintptr_t offset = (uintptr_t)id - (uintptr_t)block->subprocs;
    if (offset >= sizeof(block->subprocs) || offset % sizeof(mi_subproc_t) != 0) continue;
    return atomic_load(&((mi_subproc_t*)id)->users) == 0 ? NULL : id;
  }
  return NULL;
}

/* A value of `users`: a thread is ending the sub-process. */
#define ENDING SIZE_MAX

static bool add_user(mi_subproc_t* subproc) {
  if (subproc == &mi_subproc_first) return true;
  size_t users = atomic_load(&subproc->users);
  do {
    if (users == 0 || users == ENDING) return false;
  } while (!atomic_compare_exchange_weak(&subproc->users, &users, users + 1));
  return true;
}

bool mi_subproc_enter(mi_segments_tld_t* tld, mi_subproc_t* subproc) {
  if (!add_user(subproc)) return false;
  mi_subproc_t* old = mi_subproc_of(tld);
  if (old != &mi_subproc_first) atomic_fetch_sub(&old->users, 1);
  tld->subproc = subproc;
  return true;
}

bool mi_subproc_end(mi_subproc_t* subproc, void (*hand_over)(mi_subproc_t* subproc)) {
  size_t no_threads = 1;
  if (!atomic_compare_exchange_strong(&subproc->users, &no_threads, ENDING)) return false;
  hand_over(subproc);
  atomic_store(&subproc->users, 0);
  return true;
}

void mi_subprocs_end(void (*hand_over)(mi_subproc_t* subproc)) {
  for (block_t *block = &blocks, *next; block != NULL; block = next) {
    for (mi_subproc_t* s = block->subprocs; s < block->subprocs + PER_BLOCK; s++) {
      if (atomic_exchange(&s->users, 0) != 0) hand_over(s);
    }
    next = atomic_exchange(&block->next, NULL);
    if (block != &blocks) mi_memory_unmap(block, sizeof(block_t));
  }
}

void mi_subprocs_forked(mi_segments_tld_t* tld) {
  for (block_t* block = &blocks; block != NULL; block = next_of(block)) {
    for (mi_subproc_t* s = block->subprocs; s < block->subprocs + PER_BLOCK; s++) {
      if (atomic_load(&s->users) > 1) atomic_store(&s->users, 1);
    }
  }
  if (tld != NULL) add_user(mi_subproc_of(tld));
}
