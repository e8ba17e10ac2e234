/* Fills memory with blocks of 1 to 32 KiB, and frees them in no order until 22 MiB are alive, which
   lie scattered over all of it. Then the program sleeps, and does not call the allocator. The
   result is the memory that is resident after QUIET_SECONDS of sleep: the runner looks at it from
   outside until the process ends. SIZE: MiB that are alive at the peak. */
#include "workload.h"

enum { LIVE_MIB = 22, QUIET_SECONDS = 2, LEAST = 1 << 10, MOST = 32 << 10 };

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 200, 1);
  random_t random = {1};
  size_t room = (given.size << 20) / LEAST + 1, count = 0, live = 0;
  void** blocks = must(malloc(room * sizeof(void*)));
  while (live < given.size << 20) {
    size_t size = random_between(&random, LEAST, MOST);
    blocks[count] = memset(must(malloc(size)), 1, size);
    stamp(blocks[count++], size, 0);
    live += size;
  }
  while (live > (size_t)LIVE_MIB << 20) {
    void** block = &blocks[random_below(&random, count)];
    live -= stamped_size(*block);
    free_stamped(*block);
    *block = blocks[--count];
  }
  finish(mix(live));
  fflush(stdout);
  sleep(QUIET_SECONDS);
  _exit(((char*)blocks[0])[LEAST / 2] == 1 ? 0 : 1);
}
