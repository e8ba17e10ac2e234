/* malloc-free PATTERN SIZE (time MILLISECONDS | count OPERATIONS)

   Runs one pattern of allocation on whatever malloc the process has, and prints nanoseconds per
   operation and peak resident memory in kilobytes. An operation is one malloc and one free, unless
   the pattern says otherwise. Every block is written to, so that nothing is optimised away and lazy
   memory is paid for. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000, RING = 1024, THREADS = 2 };

static void* must(void* block) {
  if (block == NULL) {
    fputs("out of memory\n", stderr);
    exit(1);
  }
  *(volatile char*)block = 1;
  return block;
}

static uint32_t next_random(uint32_t* state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

/* ---- one thread ---- */

static void run_pair(size_t size, size_t count) {
  for (size_t i = 0; i < count; i++) free(must(malloc(size)));
}

static void run_calloc(size_t size, size_t count) {
  for (size_t i = 0; i < count; i++) free(must(calloc(1, size)));
}

/* Writes one byte in every 4 KiB, as a program that uses its large block would. */
static void run_large(size_t size, size_t count) {
  for (size_t i = 0; i < count; i++) {
    volatile char* block = must(malloc(size));
    for (size_t at = 0; at < size; at += 4096) block[at] = 1;
    free((void*)block);
  }
}

/* An operation is a buffer that grows from 16 bytes to `size`, by half each time. */
static void run_realloc(size_t size, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char* buffer = NULL;
    for (size_t n = 16; n < size; n += n / 2) {
      buffer = must(realloc(buffer, n));
      buffer[n - 1] = 1;
    }
    free(buffer);
  }
}

static void run_batch(size_t size, size_t count, const unsigned* order) {
  void* blocks[BATCH];
  for (size_t done = 0; done < count; done += BATCH) {
    for (size_t i = 0; i < BATCH; i++) blocks[i] = must(malloc(size));
    for (size_t i = 0; i < BATCH; i++) free(blocks[order[i]]);
  }
}

static void run_lifo(size_t size, size_t count) {
  unsigned order[BATCH];
  for (unsigned i = 0; i < BATCH; i++) order[i] = BATCH - 1 - i;
  run_batch(size, count, order);
}

static void run_fifo(size_t size, size_t count) {
  unsigned order[BATCH];
  for (unsigned i = 0; i < BATCH; i++) order[i] = i;
  run_batch(size, count, order);
}

static void run_random(size_t size, size_t count) {
  unsigned order[BATCH];
  uint32_t state = 1;
  for (unsigned i = 0; i < BATCH; i++) order[i] = i;
  for (unsigned i = BATCH - 1; i > 0; i--) {
    unsigned other = next_random(&state) % (i + 1), swapped = order[i];
    order[i] = order[other];
    order[other] = swapped;
  }
  run_batch(size, count, order);
}

/* ---- two threads ---- */

typedef struct {
  void* _Atomic slots[RING];
  size_t size, count;
} ring_t;

static void* consume(void* argument) {
  ring_t* ring = argument;
  for (size_t i = 0; i < ring->count; i++) {
    void* block;
    while ((block = atomic_exchange(&ring->slots[i % RING], NULL)) == NULL) sched_yield();
    free(block);
  }
  return NULL;
}

/* One thread allocates, the other frees. */
static void run_handoff(size_t size, size_t count) {
  static ring_t ring;
  pthread_t consumer;
  ring.size = size;
  ring.count = count;
  pthread_create(&consumer, NULL, consume, &ring);
  for (size_t i = 0; i < count; i++) {
    void* block = must(malloc(size));
    while (atomic_load(&ring.slots[i % RING]) != NULL) sched_yield();
    atomic_store(&ring.slots[i % RING], block);
  }
  pthread_join(consumer, NULL);
}

typedef struct {
  void* blocks[BATCH];
} slots_t;

static slots_t tables[THREADS + 1];
static slots_t* _Atomic spare = &tables[THREADS];
static size_t churn_size, churn_count;

static void* churn(void* argument) {
  slots_t* mine = argument;
  uint32_t state = (uint32_t)(mine - tables) + 1;
  for (size_t i = 0; i < churn_count; i++) {
    void** slot = &mine->blocks[next_random(&state) % BATCH];
    free(*slot);
    *slot = must(malloc(16 + next_random(&state) % churn_size));
    if (i % 10000 == 9999) mine = atomic_exchange(&spare, mine);
  }
  return NULL;
}

/* Two threads replace random blocks of 16 to `size` bytes, and swap their blocks now and then, so
   that about half of all frees are of another thread's block. */
static void run_churn(size_t size, size_t count) {
  pthread_t threads[THREADS];
  slots_t* held[THREADS] = {&tables[0], &tables[1]};
  atomic_store(&spare, &tables[THREADS]);
  churn_size = size;
  churn_count = count / THREADS;
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, churn, held[i]);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

/* ---- */

static const struct {
  const char* name;
  void (*run)(size_t size, size_t count);
  size_t step; /* operations between two looks at the clock */
  bool threads;
} patterns[] = {
    {"pair", run_pair, 10000, false},     {"calloc", run_calloc, 1000, false},
    {"lifo", run_lifo, 10000, false},     {"fifo", run_fifo, 10000, false},
    {"random", run_random, 10000, false}, {"large", run_large, 10, false},
    {"realloc", run_realloc, 10, false},  {"handoff", run_handoff, 200000, true},
    {"churn", run_churn, 400000, true},
};

/* Not ru_maxrss of getrusage: that one remembers what ran in this process before exec. */
static long peak_resident_kb(void) {
  char line[256];
  long kb = 0;
  FILE* status = fopen("/proc/self/status", "r");
  if (status == NULL) return 0;
  while (fgets(line, sizeof(line), status) != NULL) {
    if (sscanf(line, "VmHWM: %ld", &kb) == 1) break;
  }
  fclose(status);
  return kb;
}

/* Processor time where one thread works, so that neighbours on the machine count less. */
static double now(bool threads) {
  struct timespec time;
  clock_gettime(threads ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc != 5) {
    fputs("usage: malloc-free PATTERN SIZE (time MILLISECONDS | count OPERATIONS)\n", stderr);
    return 2;
  }
  size_t size = strtoul(argv[2], NULL, 10), amount = strtoul(argv[4], NULL, 10);
  for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
    if (strcmp(patterns[i].name, argv[1]) != 0) continue;
    if (strcmp(argv[3], "count") == 0) {
      patterns[i].run(size, amount);
      return 0;
    }
    patterns[i].run(size, patterns[i].step);
    size_t done = 0;
    double start = now(patterns[i].threads), elapsed;
    do {
      patterns[i].run(size, patterns[i].step);
      done += patterns[i].step;
      elapsed = now(patterns[i].threads) - start;
    } while (elapsed < (double)amount * 1e6);
    printf("%.2f %ld\n", elapsed / (double)done, peak_resident_kb());
    return 0;
  }
  fprintf(stderr, "no such pattern: %s\n", argv[1]);
  return 2;
}
