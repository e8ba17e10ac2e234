/* Pages of a thread that a forked child does not have (segment/orphan.h). */
#ifndef MI_PAGE_ORPHAN_H
#define MI_PAGE_ORPHAN_H

#include "page/page.h"

/* In a forked child, of a page in use of a lost thread, which may have stood in the middle of a
   change: whether all of its blocks are free for certain. If so, the page is left without any, as
   mi_segment_page_free wants it. */
mi_cold bool mi_page_forget_if_free(mi_page_t* page);

#endif
