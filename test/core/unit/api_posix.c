/* The names of other systems. */
#include "check.h"
#include "memory.h"
#include "miheap.h"
#include "pattern.h"

static void sizes(void) {
  for (size_t size = 1; size < 10000000; size = size * 5 + 3) {
    void* p = mi_malloc(size);
    CHECK_EQ(mi_malloc_size(p), mi_usable_size(p));
    CHECK_EQ(mi_malloc_usable_size(p), mi_usable_size(p));
    CHECK_CMP(mi_malloc_good_size(size), <=, mi_usable_size(p));
    mi_free_size(p, size);
    p = mi_malloc_aligned(size, 512);
    mi_free_size_aligned(p, size, 512);
    p = mi_malloc_aligned(size, 4096);
    mi_free_aligned(p, 4096);
    if (size <= MI_SMALL_SIZE_MAX) mi_free_small(mi_malloc_small(size));
  }
  CHECK_EQ(mi_malloc_size(NULL), 0);
  CHECK_EQ(mi_malloc_usable_size(NULL), 0);
  mi_free_size(NULL, 10);
  mi_free_size_aligned(NULL, 10, 8);
  mi_free_aligned(NULL, 8);
  mi_free_small(NULL);
}

static int reports;
static void count_report(int err, void* arg) {
  (void)err, (void)arg;
  reports++;
}

/* What is ours is freed; anything else is left alone, without a word. */
static void checked_free(void) {
  char foreign[64];
  mi_collect(true);
  int64_t committed = memory_gauges().committed;
  void* p = mi_malloc(3000000);
  mi_register_error(count_report, NULL);
  mi_cfree(p);
  mi_collect(true);
  CHECK_EQ(memory_gauges().committed, committed);
  mi_cfree(NULL);
  mi_cfree(foreign + 16);
  mi_cfree((void*)1);
  CHECK_EQ(reports, 0);
  mi_register_error(NULL, NULL);
}

static void reallocarr(void) {
  uint64_t* p = NULL;
  errno = 7;
  CHECK_EQ(mi_reallocarr(&p, 10, sizeof(*p)), 0);
  for (uint64_t i = 0; i < 10; i++) p[i] = i;
  CHECK_EQ(mi_reallocarr(&p, 100000, sizeof(*p)), 0);
  for (uint64_t i = 0; i < 10; i++) CHECK_EQ(p[i], i);
  uint64_t* before = p;
  volatile size_t most = SIZE_MAX;
  CHECK_EQ(mi_reallocarr(&p, most, sizeof(*p)), ENOMEM);
  CHECK_EQ(mi_reallocarr(&p, most / 2 + 1, 1), ENOMEM);
  CHECK_PTR(p, ==, before);
  CHECK_EQ(p[9], 9);
  CHECK_EQ(mi_reallocarr(&p, 0, sizeof(*p)), 0);
  CHECK_PTR(p, ==, NULL);
  CHECK_EQ(mi_reallocarr(&p, 10, 0), 0);
  CHECK_PTR(p, ==, NULL);
  CHECK_EQ(mi_reallocarr(NULL, 10, 8), EINVAL);
  CHECK_EQ(errno, 7);
}

static void windows(void) {
  uint8_t* p = mi_zalloc(100);
  size_t usable = mi_usable_size(p);
  CHECK_PTR(mi__expand(p, usable), ==, p);
  errno = 0;
  CHECK_PTR(mi__expand(p, usable + 1), ==, NULL);
  CHECK_EQ(errno, ENOMEM);
  p = mi_aligned_recalloc(p, 100, 10, 64);
  CHECK_EQ((uintptr_t)p % 64, 0);
  CHECK(is_all_zero(p, 1000));
  p = mi_aligned_offset_recalloc(p, 500, 10, 64, 40);
  CHECK_EQ((uintptr_t)(p + 40) % 64, 0);
  CHECK(is_all_zero(p, 5000));
  mi_free(p);

  const unsigned short wide[] = {'a', 0x20AC, 'c', 0, 'd'};
  unsigned short* w = mi_wcsdup(wide);
  CHECK_EQ(memcmp(w, wide, 4 * sizeof(*wide)), 0);
  CHECK_CMP(mi_usable_size(w), >=, 4 * sizeof(*wide));
  mi_free(w);
  CHECK_PTR(mi_wcsdup(NULL), ==, NULL);
  unsigned char* m = mi_mbsdup((const unsigned char*)"\xC3\xA4");
  CHECK_STR((const char*)m, "\xC3\xA4");
  mi_free(m);
  CHECK_PTR(mi_mbsdup(NULL), ==, NULL);
}

static void environment(void) {
  char mark;
  char* value = &mark;
  size_t size = 4711;
  CHECK_EQ(setenv("MIHEAP_TEST_VARIABLE", "abc", 1), 0);
  CHECK_EQ(mi_dupenv_s(&value, &size, "MIHEAP_TEST_VARIABLE"), 0);
  CHECK_STR(value, "abc");
  CHECK_EQ(size, 3);
  CHECK_CMP(mi_usable_size(value), >=, 4);
  mi_free(value);
  CHECK_EQ(mi_dupenv_s(&value, NULL, "MIHEAP_TEST_VARIABLE"), 0);
  mi_free(value);
  CHECK_EQ(unsetenv("MIHEAP_TEST_VARIABLE"), 0);
  CHECK_EQ(mi_dupenv_s(&value, &size, "MIHEAP_TEST_VARIABLE"), 0);
  CHECK_PTR(value, ==, NULL);
  CHECK_EQ(size, 0);
  CHECK_EQ(mi_dupenv_s(NULL, &size, "HOME"), EINVAL);
  CHECK_EQ(mi_dupenv_s(&value, &size, NULL), EINVAL);
  unsigned short name[] = {'H', 0};
  unsigned short* wide = name;
  size = 4711;
  CHECK_EQ(mi_wdupenv_s(&wide, &size, name), EINVAL);
  CHECK_PTR(wide, ==, NULL);
  CHECK_EQ(size, 0);
  CHECK_EQ(mi_wdupenv_s(NULL, NULL, name), EINVAL);
}

int main(void) {
  mi_option_disable(mi_option_show_errors); /* of counts that overflow */
  sizes();
  checked_free();
  reallocarr();
  windows();
  environment();
  mi_collect(true);
  memory_check();
  CHECK_EQ(memory_gauges().committed, 0);
  return 0;
}
