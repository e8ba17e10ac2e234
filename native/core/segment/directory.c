#include "segment/directory.h"

#include "segment/memory.h"

/* Blocks of descriptors, made when needed and kept until the library is unloaded. The first block
   is static. */
#define PER_BLOCK 64u
#define BLOCK_COUNT 4096u /* 8 TiB */

typedef struct chunk_block_s {
  mi_chunk_t chunks[PER_BLOCK];
} chunk_block_t;

static chunk_block_t first_block;
static _Atomic(chunk_block_t*) directory[BLOCK_COUNT]; /* the first entry is not used */
static _Atomic(size_t) chunk_count;

size_t mi_chunk_count(void) { return atomic_load_explicit(&chunk_count, memory_order_acquire); }

mi_chunk_t* mi_chunk_at(size_t index) {
  if (mi_likely(index < PER_BLOCK)) return &first_block.chunks[index];
  chunk_block_t* block = atomic_load_explicit(&directory[index / PER_BLOCK], memory_order_acquire);
  return &block->chunks[index % PER_BLOCK];
}

/* Makes sure that the descriptor with this number has memory. False if there is none, or the number
   is too high. */
static bool make_descriptor(size_t index) {
  if (index < PER_BLOCK) return true;
  if (index >= BLOCK_COUNT * PER_BLOCK) return false;
  if (atomic_load_explicit(&directory[index / PER_BLOCK], memory_order_acquire) != NULL)
    return true;
  chunk_block_t* made =
      mi_memory_map(sizeof(chunk_block_t), _Alignof(chunk_block_t), MI_MAP_ADDRESSES);
  if (made == NULL) return false;
  chunk_block_t* other = NULL;
  if (!atomic_compare_exchange_strong_explicit(&directory[index / PER_BLOCK], &other, made,
                                               memory_order_acq_rel, memory_order_acquire)) {
    mi_memory_unmap(made, sizeof(chunk_block_t));
  }
  return true;
}

void mi_chunk_directory_unmap(void) {
  atomic_store_explicit(&chunk_count, 0, memory_order_relaxed);
  for (size_t i = 0; i < BLOCK_COUNT; i++) {
    chunk_block_t* block = atomic_exchange_explicit(&directory[i], NULL, memory_order_acquire);
    if (block != NULL) mi_memory_unmap(block, sizeof(chunk_block_t));
  }
}

bool mi_chunk_descriptors_add(size_t count, size_t* first) {
  *first = mi_chunk_count();
  do {
    for (size_t i = 0; i < count; i++) {
      if (!make_descriptor(*first + i)) return false;
    }
  } while (!atomic_compare_exchange_weak_explicit(&chunk_count, first, *first + count,
                                                  memory_order_acq_rel, memory_order_relaxed));
  return true;
}

void mi_chunk_descriptors_remove(size_t first, size_t count) {
  size_t end = first + count;
  if (atomic_compare_exchange_strong_explicit(&chunk_count, &end, first, memory_order_relaxed,
                                              memory_order_relaxed)) {
    return;
  }
  for (size_t i = 0; i < count; i++) mi_chunk_descriptor_leave(mi_chunk_at(first + i));
}

/* Descriptors that are vacant, or are about to be. */
static _Atomic(size_t) vacant_count;

void mi_chunk_descriptor_leave(mi_chunk_t* chunk) {
  atomic_fetch_add_explicit(&vacant_count, 1, memory_order_relaxed);
  /* Release pairs with the acquire in mi_chunk_descriptor_take: the thread that takes the
     descriptor finds it as it is left. */
  atomic_store_explicit(&chunk->vacant, true, memory_order_release);
}

bool mi_chunk_descriptor_take(size_t* index) {
  bool any = atomic_load_explicit(&vacant_count, memory_order_relaxed) != 0;
  size_t count = any ? mi_chunk_count() : 0;
  for (*index = 0; *index < count; ++*index) {
    mi_chunk_t* chunk = mi_chunk_at(*index);
    if (atomic_load_explicit(&chunk->vacant, memory_order_relaxed) &&
        atomic_exchange_explicit(&chunk->vacant, false, memory_order_acquire)) {
      atomic_fetch_sub_explicit(&vacant_count, 1, memory_order_relaxed);
      return true;
    }
  }
  return mi_chunk_descriptors_add(1, index);
}
