/* Foreign memory that lies within 4 MiB after a huge block. */
#include <sys/mman.h>

#include "crime.h"
#include "segment/segment.h"

int main(void) {
  prepare();
  mi_segment_t* segment = mi_segment_find(mi_malloc((size_t)40 << 20)); /* too large for a chunk */
  void* end = (uint8_t*)segment + segment->huge_size;
  void* foreign = mmap(end, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_PTR(foreign, ==, end);
  announce(foreign);
  mi_free(foreign);
  return unharmed();
}
