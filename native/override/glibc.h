/* Makes the linker take glibc.c from libmiheap.a when it takes malloc.c: see os/linux_process.c. */
#ifndef MI_GLIBC_H
#define MI_GLIBC_H

#include <stdint.h> /* defines __GLIBC__ where that is the C library */

#if defined(__GLIBC__)
__asm__(".pushsection .miheap.needs, \"e\", %progbits\n"
        ".dc.a __libc_malloc\n"
        ".popsection");
#endif

#endif
