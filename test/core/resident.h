/* How much of a range of memory is resident. */
#ifndef MI_TEST_RESIDENT_H
#define MI_TEST_RESIDENT_H

#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

/* Bytes of resident system pages among those that the range touches. All of them must be mapped. */
static inline size_t resident_in(const void* p, size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  uintptr_t from = (uintptr_t)p / page * page;
  uintptr_t to = ((uintptr_t)p + size + page - 1) / page * page;
  size_t resident = 0;
  unsigned char state[256];
  for (uintptr_t at = from; at < to; at += sizeof(state) * page) {
    size_t length = to - at < sizeof(state) * page ? to - at : sizeof(state) * page;
    CHECK_EQ(mincore((void*)at, length, state), 0);
    for (size_t i = 0; i < length / page; i++) resident += (state[i] & 1) * page;
  }
  return resident;
}

#endif
