/* free(), but for its fast path: the owner's side and the other threads'. The protocol between
   them is that of mi_page_t.thread_free in types.h. */
#include "heap/heap.h"
#include "os/rare.h"

void mi_page_free_block(mi_page_t* page, mi_block_t* block) {
  mi_block_set_next(page, block, page->local_free);
  page->local_free = block;
  page->used--;
  if (mi_page_is_in_full(page)) {
    /* Its first free block: it has a place among the others again. A huge one has no other
       place. */
    if (page->bin != MI_BIN_HUGE) {
      mi_page_unfull(atomic_load_explicit(&page->heap, memory_order_relaxed), page);
    } else {
      mi_page_clear_full(page);
    }
  }
  if (mi_page_is_empty(page)) mi_page_retire(page);
}

static void push_delayed(mi_heap_t* heap, mi_block_t* block) {
  uintptr_t head = atomic_load_explicit(&heap->delayed_free, memory_order_relaxed);
  do {
    mi_block_set_delayed_next(block, head);
    /* Release: who drains the list sees the link. */
  } while (!atomic_compare_exchange_weak_explicit(&heap->delayed_free, &head, (uintptr_t)block,
                                                  memory_order_release, memory_order_relaxed));
}

/* Bytes of huge blocks that other threads freed and whose owners have not noticed yet. An owner
   that allocates soon uses that memory again; one that sleeps would hold it for ever. So no more
   than this is left to wait; of the rest only the addresses are. */
enum { HUGE_WAITING_MAX = 16 << 20 };
static _Atomic(size_t) huge_waiting;

static void start_waiting(mi_page_t* page) {
  size_t size = page->block_size;
  size_t before = atomic_fetch_add_explicit(&huge_waiting, size, memory_order_relaxed);
  if (before + size > HUGE_WAITING_MAX && mi_option_get(mi_option_purge_delay) >= 0) {
    mi_huge_page_purge(page);
  }
}

static void stop_waiting(const mi_page_t* page) {
  atomic_fetch_sub_explicit(&huge_waiting, page->block_size, memory_order_relaxed);
}

void mi_page_free_block_mt(mi_page_t* page, mi_block_t* block) {
  /* Acquire: of an UNOWNED page we see the header as its owner left it. */
  uintptr_t word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
  bool huge = page->bin == MI_BIN_HUGE;
  bool waiting = false;
  for (;;) {
    uintptr_t wanted;
    uintptr_t state = mi_tf_state(word);
    if (mi_unlikely(huge && waiting != (state == MI_TF_FULL))) {
      /* May take a while, so it is done before NOTIFYING, for which others wait. */
      waiting = !waiting;
      waiting ? start_waiting(page) : stop_waiting(page);
      word = atomic_load_explicit(&page->thread_free, memory_order_acquire);
      continue;
    }
    if (mi_unlikely(state == MI_TF_UNOWNED)) {
      mi_huge_page_free(page);
      return;
    }
    if (mi_unlikely(state == MI_TF_FULL)) {
      wanted = mi_tf_make(NULL, MI_TF_NOTIFYING);
    } else {
      mi_block_set_next(page, block, mi_tf_list(word));
      wanted = mi_tf_make(block, state);
    }
    mi_race_window();
    /* Release: who collects the block sees its link and our last writes to it. Acquire: with
       NOTIFYING, we see page->heap. */
    if (!atomic_compare_exchange_weak_explicit(&page->thread_free, &word, wanted,
                                               memory_order_acq_rel, memory_order_acquire)) {
      continue;
    }
    if (state != MI_TF_FULL) return;
    mi_race_window();
    mi_heap_t* heap = atomic_load_explicit(&page->heap, memory_order_acquire);
    push_delayed(heap, block);
    mi_race_window();
    /* NOTIFYING -> NORMAL, keeping what others pushed meanwhile. Release: our use of the heap is
       over. After this the page may be gone. */
    atomic_fetch_and_explicit(&page->thread_free, ~(uintptr_t)MI_TF_NOTIFYING,
                              memory_order_release);
    return;
  }
}

void mi_heap_delayed_free(mi_heap_t* heap) {
  if (mi_likely(atomic_load_explicit(&heap->delayed_free, memory_order_relaxed) == 0)) return;
  /* Acquire pairs with the release of push_delayed. */
  mi_block_t* block =
      (mi_block_t*)atomic_exchange_explicit(&heap->delayed_free, 0, memory_order_acquire);
  while (block != NULL) {
    mi_block_t* next = mi_block_delayed_next(block);
    mi_page_t* page = mi_page_of(block);
    if (mi_unlikely(mi_page_is_notifying(page))) {
      push_delayed(heap, block); /* until then it keeps the page alive */
      block = next;
      continue;
    }
    if (page->bin == MI_BIN_HUGE) stop_waiting(page);
    mi_page_free_collect(page); /* what came after it, so that the page may turn out empty */
    mi_page_free_block(page, block);
    block = next;
  }
}

void mi_heap_delayed_drop(mi_heap_t* heap) {
  mi_block_t* block =
      (mi_block_t*)atomic_exchange_explicit(&heap->delayed_free, 0, memory_order_acquire);
  for (; block != NULL; block = mi_block_delayed_next(block)) {
    const mi_page_t* page = mi_page_of(block);
    if (page->bin == MI_BIN_HUGE) stop_waiting(page);
  }
}
