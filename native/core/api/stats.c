/* The statistics that programs ask for. */
#include <string.h>

#include "heap/heap.h"
#include "heap/magazine.h"
#include "heap/thread.h"
#include "segment/owner_lock.h"
#include "stats/stats.h"

void mi_stats_merge(void) mi_attr_noexcept { mi_thread_merge_stats(); }

void mi_stats_reset(void) mi_attr_noexcept {
  mi_stats_merge();
  if (mi_heap_is_initialized(mi_heap_default)) mi_thread_stats_clear(mi_heap_default->tld);
  mi_process_stats_clear();
}

void mi_stats_get(size_t stats_size, mi_stats_t* stats) mi_attr_noexcept {
  if (stats == NULL) return;
  mi_stats_merge();
  mi_stats_t ours;
  mi_process_stats_snapshot(&ours);
  if (stats_size < ours.size) ours.size = stats_size;
  memset(stats, 0, stats_size);
  memcpy(stats, &ours, ours.size);
}

char* mi_stats_get_json(size_t buf_size, char* buf) mi_attr_noexcept {
  mi_stats_merge();
  if (buf != NULL) return mi_stats_write_json(buf, buf_size) < buf_size ? buf : NULL;
  /* Numbers may have more digits by the time they are written; making the block changes some. */
  enum { MORE = 512 };
  size_t size = mi_stats_write_json(NULL, 0) + MORE;
  char* block = mi_malloc(size);
  if (block == NULL || mi_stats_write_json(block, size) < size) return block;
  mi_free(block);
  return NULL;
}

void mi_stats_print_out(mi_output_fun* out, void* arg) mi_attr_noexcept {
  mi_stats_merge();
  mi_stats_print_table(out, arg);
}

void mi_stats_print(void* out) mi_attr_noexcept {
  (void)out;
  mi_stats_print_out(NULL, NULL);
}

/* What the heaps of a thread hold. */
typedef struct held_s {
  size_t blocks;
  size_t bytes;
} held_t;

/* Adds the blocks of the page that are alive, without those that other threads freed. */
static void add_page(mi_heap_t* heap, mi_page_t* page, void* arg) {
  (void)heap;
  held_t* held = arg;
  size_t used = mi_page_used(page);
  size_t waiting = mi_page_thread_free_count(page);
  size_t alive = waiting < used ? used - waiting : 0;
  held->blocks += alive;
  held->bytes += alive * page->block_size;
}

void mi_thread_stats_print_out(mi_output_fun* out, void* arg) mi_attr_noexcept {
  held_t held = {0, 0};
  mi_heap_t* heap = mi_heap_default;
  if (!mi_heap_is_initialized(heap)) {
    mi_stats_print_thread(NULL, 0, 0, out, arg);
    return;
  }
  mi_tld_t* tld = heap->tld;
  mi_owner_enter(tld->segments.lock);
  for (heap = tld->heaps; heap != NULL; heap = heap->next) {
    mi_magazine_flush(heap);
    mi_heap_for_each_page(heap, MI_PAGE_QUEUES, add_page, &held);
  }
  mi_owner_leave(tld->segments.lock);
  mi_thread_stats_t stats = tld->stats; /* a copy, since printing may allocate */
  mi_stats_print_thread(&stats, held.blocks, held.bytes, out, arg);
}
