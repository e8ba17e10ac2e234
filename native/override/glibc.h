/* Who takes malloc.c from libmiheap.a takes glibc.c too: see os/linux_process.c. */
#ifndef MI_GLIBC_H
#define MI_GLIBC_H

#include <stddef.h>

#if defined(__GLIBC__)
__asm__(".pushsection .miheap.needs, \"e\", %progbits\n"
        ".dc.a __libc_malloc\n"
        ".popsection");
#endif

#endif
