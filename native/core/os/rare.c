#include "os/rare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"

static const char* const names[] = {
#define RARE(name, doc) #name,
    MI_RARE_SWITCHES(RARE)
#undef RARE
};

static _Atomic(unsigned long) periods[mi_rare_count_];
static _Atomic(unsigned long) calls[mi_rare_count_];

/* Relaxed, since it does not matter which thread takes the path. */
bool mi_rare(mi_rare_t which) {
  unsigned long n = atomic_load_explicit(&periods[which], memory_order_relaxed);
  if (n <= 1) return n == 1;
  return (atomic_fetch_add_explicit(&calls[which], 1, memory_order_relaxed) + 1) % n == 0;
}

void mi_rare_set(mi_rare_t which, unsigned long n) {
  atomic_store(&periods[which], n);
  atomic_store(&calls[which], 0);
}

unsigned long mi_rare_get(mi_rare_t which) { return atomic_load(&periods[which]); }

static _Atomic(unsigned long) fail_from;
static _Atomic(unsigned long) calls_seen;

unsigned long mi_os_fail_from(unsigned long n) {
  unsigned long seen = atomic_exchange(&calls_seen, 0);
  atomic_store(&fail_from, n);
  return seen;
}

bool mi_os_fault(void) {
  unsigned long call = atomic_fetch_add(&calls_seen, 1) + 1;
  unsigned long from = atomic_load(&fail_from);
  return (from != 0 && call >= from) || mi_rare(mi_rare_os_fail);
}

static _Atomic(size_t) huge_pages;

void mi_os_offer_huge_pages(size_t count) { atomic_store(&huge_pages, count); }

bool mi_os_fake_huge_page(void) {
  size_t left = atomic_load(&huge_pages);
  while (left > 0 && !atomic_compare_exchange_weak(&huge_pages, &left, left - 1)) {
  }
  return left > 0;
}

static void (*_Atomic unmap_fn)(size_t size);

void mi_os_on_unmap(void (*fn)(size_t size)) { atomic_store(&unmap_fn, fn); }

void mi_os_unmapped(size_t size) {
  void (*fn)(size_t) = atomic_load(&unmap_fn);
  if (fn != NULL) fn(size);
}

size_t mi_os_fake_page_size(void) {
  const char* text = getenv("MIHEAP_TEST_PAGE_SIZE");
  return text == NULL ? 0 : strtoul(text, NULL, 10);
}

void mi_os_expect_pages(const void* p, size_t size) {
  size_t page = mi_os_page_size();
  if ((uintptr_t)p % page == 0 && size % page == 0) return;
  fprintf(stderr, "%zu bytes at %p are not whole pages of %zu\n", size, p, page);
  abort();
}

/* Reads "name=n", and returns where that ends: at a comma or at the end. */
static const char* read_switch(const char* text) {
  size_t length = strcspn(text, "=,");
  for (int i = 0; i < mi_rare_count_; i++) {
    if (strlen(names[i]) != length || strncmp(names[i], text, length) != 0) continue;
    char* end = (char*)text;
    if (text[length] == '=') {
      mi_rare_set((mi_rare_t)i, strtoul(text + length + 1, &end, 10));
      if (end != text + length + 1 && (*end == ',' || *end == 0)) return end;
    }
  }
  fprintf(stderr, "MIHEAP_TEST_RARE: %s is not a switch and a number\n", text);
  abort();
}

__attribute__((constructor)) static void read_environment(void) {
  const char* text = getenv("MIHEAP_TEST_RARE");
  while (text != NULL && *text != 0) {
    text = read_switch(text);
    if (*text == ',') text++;
  }
}
