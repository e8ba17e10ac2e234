/* A thread allocates a lot, frees nine blocks in ten at random, and does little from then on. Hardly
   any page is free as a whole, but the memory of the free blocks goes back to the system: after a
   while, or at once if the program asks for that; from a heap of the program's own only then. */
#include "rss.h"

enum { BYTES = 200 << 20, KEPT = 10 };

typedef enum when_e { LATER, AT_ONCE, FROM_OWN_HEAP } when_t;

static void run(when_t when, size_t start, size_t least, size_t most, size_t allowed) {
  mi_heap_t* heap = when == FROM_OWN_HEAP ? mi_heap_new() : mi_heap_get_backing();
  random_t random = {1};
  size_t count = BYTES / ((least + most) / 2), live = 0;
  void** blocks = mi_malloc(count * sizeof(void*));
  for (size_t i = 0; i < count; i++) {
    size_t size = least + random_below(&random, most - least + 1);
    blocks[i] = mi_heap_malloc(heap, size);
    memset(blocks[i], (int)(i & 0xff), size);
  }
  for (size_t i = 0; i < count; i++) {
    if (random_below(&random, 100) < KEPT) {
      live += mi_usable_size(blocks[i]);
    } else {
      mi_free(blocks[i]);
      blocks[i] = NULL;
    }
  }
  if (when != LATER) {
    mi_collect(true);
  } else {
    for (int ms = 0; ms < 2000; ms += 10) {
      mi_free(mi_malloc(100));
      sleep_ms(10);
    }
  }
  char name[100];
  snprintf(name, sizeof(name), "%zu MiB alive in blocks of %zu to %zu bytes", live / MIB, least,
           most);
  require_rss(name, start, live + count * sizeof(void*) + allowed);
  for (size_t i = 0; i < count; i++) {
    if (blocks[i] == NULL) continue;
    CHECK_EQ(*(unsigned char*)blocks[i], i & 0xff);
    mi_free(blocks[i]);
  }
  mi_free(blocks);
  if (when == FROM_OWN_HEAP) mi_heap_delete(heap);
}

int main(void) {
  mi_free(mi_malloc(1));
  size_t start = memory_resident();
  for (when_t when = LATER; when <= FROM_OWN_HEAP; when++) {
    run(when, start, 1100, 8 << 10, 40 * MIB);
    run(when, start, 8 << 10, 32 << 10, 24 * MIB);
    run(when, start, 32 << 10, 256 << 10, 16 * MIB);
  }
  return 0;
}
