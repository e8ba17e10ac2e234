#include "os/linux_elf.h"

#include "compiler.h"

/* The table of a DT_GNU_HASH holds the last of the symbols; the chain of the highest bucket ends at
   the very last. Bit 0 of an entry ends a chain. */
static size_t count_by_gnu_hash(const uint32_t* table) {
  uint32_t bucket_count = table[0], first = table[1], bloom_size = table[2];
  const uint32_t* buckets = table + 4 + bloom_size * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
  const uint32_t* chains = buckets + bucket_count;
  uint32_t last = 0;
  for (uint32_t i = 0; i < bucket_count; i++) {
    if (buckets[i] > last) last = buckets[i];
  }
  if (last < first) return first; /* the table is empty */
  while ((chains[last - first] & 1) == 0) last++;
  return last + 1;
}

mi_cold bool mi_elf_read(const ElfW(Dyn) * dynamic, uintptr_t bias, mi_elf_t* elf) {
  *elf = (mi_elf_t){NULL, NULL, NULL, 0};
  for (; dynamic->d_tag != DT_NULL; dynamic++) {
    uintptr_t address = bias + dynamic->d_un.d_ptr;
    if (dynamic->d_tag == DT_SYMTAB) elf->symbols = (const ElfW(Sym)*)address;
    if (dynamic->d_tag == DT_STRTAB) elf->names = (const char*)address;
    if (dynamic->d_tag == DT_VERSYM) elf->versions = (const ElfW(Half)*)address;
    /* The number of chains is that of the symbols. */
    if (dynamic->d_tag == DT_HASH) elf->count = ((const uint32_t*)address)[1];
    if (dynamic->d_tag == DT_GNU_HASH) elf->count = count_by_gnu_hash((const uint32_t*)address);
  }
  return elf->symbols != NULL && elf->names != NULL;
}

mi_cold bool mi_elf_read_loaded(const ElfW(Dyn) * dynamic, uintptr_t base, mi_elf_t* elf) {
  /* Where the section is writable, the dynamic linker has replaced its offsets by addresses. */
  const ElfW(Dyn)* table = dynamic;
  while (table->d_tag != DT_SYMTAB) table++;
  return mi_elf_read(dynamic, table->d_un.d_ptr < base ? base : 0, elf);
}
