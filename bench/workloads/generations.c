/* Like a server's connections that outlive its threads: each thread inherits a table, replaces
   random blocks of it, and ends; its successor goes on. So threads free blocks of threads that have
   ended. SIZE: replacements by each thread of a generation. */
#include "workload.h"

enum { SLOTS = 5000, GENERATIONS = 40, LEAST = 8, MOST = 1000 };

typedef struct {
  void* slots[SLOTS];
  random_t random;
  uint64_t checksum;
} table_t;

static size_t replacements;
static table_t tables[MOST_THREADS];

static void* serve(void* argument) {
  table_t* table = argument;
  for (size_t i = 0; i < replacements; i++) {
    size_t victim = random_below(&table->random, SLOTS);
    size_t size = random_between(&table->random, LEAST, MOST);
    free_stamped(table->slots[victim]);
    table->slots[victim] = stamp(malloc(size), size, (unsigned)victim);
    table->checksum = mix(table->checksum ^ size);
  }
  return NULL;
}

/* Runs the generations of one table, one after another; the generations of other tables run at the
   same time. */
static void serve_generations(unsigned index) {
  table_t* table = &tables[index];
  table->random.state = index + 1;
  for (size_t i = 0; i < SLOTS; i++) {
    size_t size = random_between(&table->random, LEAST, MOST);
    table->slots[i] = stamp(malloc(size), size, (unsigned)i);
  }
  for (unsigned generation = 0; generation < GENERATIONS; generation++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, table) != 0) fail("pthread_create");
    pthread_join(thread, NULL);
  }
  for (size_t i = 0; i < SLOTS; i++) free_stamped(table->slots[i]);
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 200000, 4);
  uint64_t checksum = 0;
  replacements = given.size;
  run_threads(given.threads, serve_generations);
  for (unsigned i = 0; i < given.threads; i++) checksum = mix(checksum ^ tables[i].checksum);
  return finish(checksum);
}
