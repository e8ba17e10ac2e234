/* Threads replace a random tenth of their live blocks, of 8 bytes to 64 KiB, in each round, so that
   ages are exponential. Each thread hands a quarter of these to its neighbour to free. SIZE:
   rounds. */
#include <stdatomic.h>

#include "workload.h"

enum { LIVE = 4000, TENTH = LIVE / 10, MAIL = TENTH / 4, LEAST = 8, MOST = 64 << 10 };

typedef struct {
  _Alignas(128) void* blocks[LIVE];
  void** _Atomic mail; /* MAIL blocks for this thread to free, or NULL */
  uint64_t checksum;
} worker_t;

static size_t rounds;
static unsigned count;
static worker_t* workers;

static void free_mail(worker_t* worker) {
  void** mail = atomic_exchange(&worker->mail, NULL);
  if (mail == NULL) return;
  for (unsigned i = 0; i < MAIL; i++) {
    free_stamped(mail[i]);
  }
  free(mail);
}

static void send(unsigned index, void** mail) {
  worker_t* neighbour = &workers[(index + 1) % count];
  void** unread = atomic_exchange(&neighbour->mail, mail);
  if (unread == NULL) return;
  for (unsigned i = 0; i < MAIL; i++) {
    free_stamped(unread[i]);
  }
  free(unread);
}

static void work(unsigned index) {
  worker_t* worker = &workers[index];
  random_t random = {index};
  for (size_t round = 0; round < rounds; round++) {
    void** mail = must(malloc(MAIL * sizeof(void*)));
    for (unsigned i = 0; i < TENTH; i++) {
      void** victim = &worker->blocks[random_below(&random, LIVE)];
      if (i < MAIL) {
        mail[i] = *victim;
      } else {
        free_stamped(*victim);
      }
      size_t size = random_size(&random, LEAST, MOST);
      *victim = stamp(malloc(size), size, i);
      worker->checksum = mix(worker->checksum ^ size);
    }
    send(index, mail);
    free_mail(worker);
  }
  for (unsigned i = 0; i < LIVE; i++) free_stamped(worker->blocks[i]);
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 25000, 2);
  uint64_t checksum = 0;
  rounds = given.size;
  count = given.threads;
  workers = must(aligned_alloc(128, count * sizeof(*workers)));
  memset(workers, 0, count * sizeof(*workers));
  run_threads(count, work);
  for (unsigned i = 0; i < count; i++) {
    free_mail(&workers[i]);
    checksum = mix(checksum ^ workers[i].checksum);
  }
  free(workers);
  return finish(checksum);
}
