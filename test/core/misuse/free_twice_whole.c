/* The block that is freed twice is on the list still. */
#include "looks_whole.h"

static void again(mi_page_t* page) {
  (void)page;
  mi_free(blocks[1]);
}

int main(void) { return make_page_look_whole(1024, again); }
