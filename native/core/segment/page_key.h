/* Keys for the links between the blocks of a page, in hardened builds. */
#ifndef MI_PAGE_KEY_H
#define MI_PAGE_KEY_H

#include "types.h"

#if MI_HARDENED
/* Bits that an attacker cannot foretell, and that no other page has. Any thread. */
uintptr_t mi_page_key_new(void);
/* In a forked child: from now on it has other keys than its parent will have. */
void mi_page_keys_forked(void);
#else
#define mi_page_keys_forked() ((void)0)
#endif

#endif
