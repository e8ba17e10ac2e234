/* Threads churn through blocks of 1 KiB to 1 MiB. Then all sleep: 22 MiB are alive, and no thread
   calls the allocator. The result is the memory that is resident after QUIET_SECONDS of sleep: the
   runner looks at it from outside until the process ends. SIZE: MiB to allocate by each thread
   before it sleeps. */
#include "workload.h"

enum { SLOTS = 4000, LIVE_MIB = 22, QUIET_SECONDS = 2, LEAST = 1 << 10, MOST = 1 << 20 };

static size_t churned;
static pthread_barrier_t asleep;

static void work(unsigned index) {
  random_t random = {index};
  void** slots = must(calloc(SLOTS, sizeof(void*)));
  for (size_t done = 0; done < churned;) {
    void** slot = &slots[random_below(&random, SLOTS)];
    size_t size = random_size(&random, LEAST, MOST);
    free_stamped(*slot);
    *slot = memset(must(malloc(size)), 1, size);
    stamp(*slot, size, index);
    done += size;
  }
  for (unsigned i = 0; i < SLOTS; i++) free_stamped(slots[i]);
  free(slots);
  pthread_barrier_wait(&asleep);
  for (;;) pause();
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 2000, 4);
  void* live[LIVE_MIB];
  churned = given.size << 20;
  pthread_barrier_init(&asleep, NULL, given.threads + 1);
  for (unsigned i = 0; i < LIVE_MIB; i++) {
    live[i] = memset(must(malloc(1 << 20)), 1, 1 << 20);
  }
  for (unsigned i = 0; i < given.threads; i++) {
    static thread_start_t starts[MOST_THREADS];
    pthread_t thread;
    starts[i] = (thread_start_t){i, work, NULL, 0};
    if (pthread_create(&thread, NULL, thread_main, &starts[i]) != 0) fail("pthread_create");
  }
  finish(mix(churned));
  fflush(stdout);
  pthread_barrier_wait(&asleep);
  sleep(QUIET_SECONDS);
  _exit(((char*)live[0])[0] == 1 ? 0 : 1);
}
