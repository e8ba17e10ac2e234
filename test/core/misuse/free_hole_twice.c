/* The block that is freed twice was purged, with its link. */
#include "looks_whole.h"

enum { SIZE = 2048 };

static void again(mi_page_t* page) {
  mi_scavenge_all();
  mi_free(page->start + mi_ctz64(mi_page_holes(page)) * SIZE);
}

int main(void) { return make_page_look_whole(SIZE, again); }
