/* A block of a hardened build does not tell the program how the lists of its page are encoded, whichever list it was on. */
#include "check.h"
#include "page/page.h"
#include "segment/segment.h"

enum { COUNT = 1000, SIZES = 6 };

static const size_t sizes[SIZES] = {8, 48, 1000, 1100, 8000, 30000};
static void* blocks[COUNT];

/* What a former page left in this memory was encoded in another way. */
static void* take_one(size_t size) {
  void* p = mi_malloc(size);
  const mi_page_t* page = mi_page_of(p);
  const mi_block_t* next = mi_block_peek_next(page, p);
  CHECK(next != NULL && !mi_page_contains(page, next));
  return p;
}

static void take(size_t size) {
  for (int i = 0; i < COUNT; i++) blocks[i] = take_one(size);
}

int main(void) {
  for (int k = 0; k < SIZES; k++) {
    take(sizes[k]);
    for (int i = 0; i < COUNT; i++) mi_free(blocks[i]);
    take(sizes[k]);
    for (int i = 0; i < COUNT; i += 2) mi_free(blocks[i]);
    for (int i = 0; i < COUNT; i += 2) blocks[i] = take_one(sizes[k]);
    for (int i = 0; i < COUNT; i++) mi_free(blocks[i]);
  }
  return 0;
}
