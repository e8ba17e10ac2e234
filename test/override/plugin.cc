// A library that has miheap inside (libmiheap_embedded.a), to be opened and closed.
#include <cstring>
#include <new>

#include "miheap.h"
#include "plugin.h"

namespace {

// Constructed when the library is opened; destroyed by dlclose, with what it holds.
struct static_t {
  void* blocks[20];
  static_t() {
    for (size_t i = 0; i < 20; i++) blocks[i] = mi_zalloc(i * 10000);
  }
  ~static_t() {
    for (void* p : blocks) mi_free(p);
  }
} of_library;

#if defined(TEST_IN_SPARE_ROOM)
// Brings all thread-local memory of the library into the room to spare of each thread's first block.
__attribute__((tls_model("initial-exec"))) thread_local int calls;
#else
int calls;
#endif

const size_t sizes[] = {16, 100, 5000, 30000, 300000, 3000000};

} // namespace

extern "C" {

__attribute__((visibility("default"))) int plugin_work(void** exchanged, int count) {
  void* own[100];
  calls++;
  for (size_t i = 0; i < 100; i++) {
    own[i] = mi_malloc(sizes[i % 6]);
    if (own[i] == nullptr) return 1;
    memset(own[i], 7, 16);
  }
  // The last user's blocks are freed here, in another thread than had them made.
  for (int i = 0; i < count; i++) {
    mi_free(exchanged[i]);
    exchanged[i] = mi_malloc(sizes[i % 6]);
  }
  mi_heap_t* heap = mi_heap_new();
  for (size_t i = 0; i < 100; i++) mi_free(mi_heap_malloc(heap, i * 100));
  mi_heap_delete(heap);
  for (void* p : own) mi_free(p);
  return 0;
}

__attribute__((visibility("default"))) void plugin_release(void** exchanged, int count) {
  for (int i = 0; i < count; i++) mi_free(exchanged[i]);
  memset(exchanged, 0, static_cast<size_t>(count) * sizeof(*exchanged));
}

__attribute__((visibility("default"))) void* plugin_keep(size_t size) { return mi_malloc(size); }
}
