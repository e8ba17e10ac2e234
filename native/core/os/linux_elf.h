/* The symbols of a library in memory: see elf(5). */
#ifndef MI_LINUX_ELF_H
#define MI_LINUX_ELF_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mi_elf_s {
  const ElfW(Sym) * symbols;
  const char* names;           /* that of a symbol begins at st_name */
  const ElfW(Half) * versions; /* one for each symbol, or NULL; bit 15: not the default one */
  size_t count;
} mi_elf_t;

/* Reads the dynamic section of a library. `bias` is added to the addresses that it has. False if it
   has no symbols. */
bool mi_elf_read(const ElfW(Dyn) * dynamic, uintptr_t bias, mi_elf_t* elf);
/* Reads that of a library that the dynamic linker has put at `base`. */
bool mi_elf_read_loaded(const ElfW(Dyn) * dynamic, uintptr_t base, mi_elf_t* elf);

#endif
