/* scaling LIVE LEAST MOST THREADS OPERATIONS

   LIVE blocks of LEAST to MOST bytes are divided among the threads. An operation replaces a random
   block. Threads pass their tables round, so that with more than one thread many blocks are freed
   by another one. Prints two numbers: the cost of a control operation, which only writes to two
   random blocks and shows what caches alone make of that much memory, and the cost of an operation.
   Both are nanoseconds per operation times the processors at work. */
#include <stdatomic.h>
#include <time.h>

#include "../workloads/workload.h"

/* Operations after which a thread passes its table on. */
enum { TURN = 1000 };

static size_t per_thread, least, most, operations;
static int replaces;
static void** tables[MOST_THREADS];
static void** _Atomic spare;

static void* new_block(random_t* random) {
  size_t size = random_between(random, least, most);
  return stamp(malloc(size), size, 0);
}

static void** new_table(random_t* random) {
  void** table = must(malloc(per_thread * sizeof(void*)));
  for (size_t i = 0; i < per_thread; i++) table[i] = new_block(random);
  return table;
}

static void fill(unsigned index) {
  random_t random = {index};
  tables[index] = new_table(&random);
}

static void touch(void* block) { stamp(block, stamped_size(block), 1); }

static void work(unsigned index) {
  random_t random = {index};
  void** table = tables[index];
  for (size_t i = 1; i <= operations; i++) {
    void** slot = &table[random_below(&random, per_thread)];
    if (replaces) {
      free_stamped(*slot);
      *slot = new_block(&random);
    } else {
      touch(*slot);
      touch(table[random_below(&random, per_thread)]);
    }
    if (i % TURN == 0) table = atomic_exchange(&spare, table);
  }
  tables[index] = table;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* The cost of an operation, or of a control operation. */
static double measured(unsigned threads, int replacing) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  double busy = threads < processors ? (double)threads : (double)processors;
  replaces = replacing;
  double started = now();
  run_threads(threads, work);
  return (now() - started) * busy / ((double)operations * threads);
}

int main(int argc, char** argv) {
  if (argc != 6) {
    fputs("usage: scaling LIVE LEAST MOST THREADS OPERATIONS\n", stderr);
    return 2;
  }
  unsigned threads = (unsigned)argument_number(argv[4]);
  per_thread = argument_number(argv[1]) / threads;
  least = argument_number(argv[2]);
  most = argument_number(argv[3]);
  operations = argument_number(argv[5]) / threads;
  run_threads(threads, fill);
  if (threads > 1) {
    random_t random = {threads};
    atomic_store(&spare, new_table(&random));
  } else {
    atomic_store(&spare, tables[0]);
  }
  measured(threads, 1); /* not printed: at first the blocks lie in the order of their slots */
  double control = measured(threads, 0);
  double cost = measured(threads, 1);
  check_allocator();
  printf("%.2f %.2f\n", control, cost);
  return 0;
}
