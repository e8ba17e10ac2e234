/* What all workloads share: arguments, random numbers, stamped blocks, threads, and the check of
   which malloc served them.

     NAME [SIZE [THREADS [MODE]]]     an empty argument stands for the default

   A workload does the same work under every malloc, checks it, and prints `checksum HEX`. The
   checksum depends on the arguments alone: neither on addresses nor on the order in which threads
   ran. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define unused __attribute__((unused))

typedef struct {
  size_t size; /* how much work; each workload says what it counts */
  unsigned threads;
  const char* mode; /* "": none was given */
} arguments_t;

/* Ends the process: a check failed. */
static unused void fail(const char* what) {
  fprintf(stderr, "wrong: %s\n", what);
  exit(1);
}

/* A positive number; ends the process if the argument is none. */
static unused size_t argument_number(const char* text) {
  char* end;
  unsigned long long value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || value == 0) {
    fprintf(stderr, "not a positive number: %s\n", text);
    exit(2);
  }
  return (size_t)value;
}

/* `size` and `threads` are the defaults. */
static unused arguments_t parse_arguments(int argc, char** argv, size_t size, unsigned threads) {
  arguments_t given = {size, threads, ""};
  if (argc > 1 && *argv[1] != '\0') given.size = argument_number(argv[1]);
  if (argc > 2 && *argv[2] != '\0') given.threads = (unsigned)argument_number(argv[2]);
  if (argc > 3) given.mode = argv[3];
  return given;
}

/* Fails unless malloc is that of the library in BENCH_LIBRARY, by which the runner names what it
   preloaded. If the loader ignored the preload, the run must not count. */
static unused void check_allocator(void) {
  const char* expected = getenv("BENCH_LIBRARY");
  Dl_info found;
  if (expected == NULL) return;
  if (!dladdr(dlsym(RTLD_DEFAULT, "malloc"), &found) || strcmp(found.dli_fname, expected) != 0) {
    fail("malloc is not that of BENCH_LIBRARY");
  }
}

/* Ends a workload. Returns what main is to return. */
static unused int finish(uint64_t checksum) {
  check_allocator();
  printf("checksum %016llx\n", (unsigned long long)checksum);
  return 0;
}

/* ---- random numbers: splitmix64, so that any seed is a good one ---- */

typedef struct {
  uint64_t state;
} random_t;

static inline uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static inline uint64_t random_next(random_t* random) {
  return mix(random->state += 0x9e3779b97f4a7c15u);
}

/* From 0 to below `limit`, which is at most 2^32. */
static inline size_t random_below(random_t* random, size_t limit) {
  return (size_t)(((random_next(random) >> 32) * (uint64_t)limit) >> 32);
}

/* From `low` to `high`. */
static inline size_t random_between(random_t* random, size_t low, size_t high) {
  return low + random_below(random, high - low + 1);
}

/* A size from `low` to `high`. Each doubling from `low` is half as likely as the one before. */
static unused size_t random_size(random_t* random, size_t low, size_t high) {
  size_t top = low;
  uint64_t coins = random_next(random);
  while (top < high && (coins & 1) != 0) {
    top *= 2;
    coins >>= 1;
  }
  size_t size = top + random_below(random, top);
  return size < high ? size : high;
}

/* ---- blocks that know what they are ---- */

/* The block, which is not NULL; else ends the process. */
static inline void* must(void* block) {
  if (__builtin_expect(block == NULL, 0)) fail("out of memory");
  return block;
}

/* Writes the size and a tag to the first 8 bytes of a new block, and a mark to its last byte. So
   both ends are touched, as by a program that uses what it asked for. `size` is at least 8 and
   below 2^40. */
static inline void* stamp(void* block, size_t size, unsigned tag) {
  uint64_t word = (uint64_t)size << 24 | (tag & 0xffffff);
  memcpy(must(block), &word, sizeof(word));
  if (size > sizeof(word)) ((unsigned char*)block)[size - 1] = (unsigned char)size;
  return block;
}

/* The size in the stamp. */
static inline size_t stamped_size(const void* block) {
  uint64_t word;
  memcpy(&word, block, sizeof(word));
  return (size_t)(word >> 24);
}

/* Checks the stamp and frees the block; nothing for NULL. */
static inline void free_stamped(void* block) {
  if (block == NULL) return;
  size_t size = stamped_size(block);
  if (size > sizeof(uint64_t) && ((unsigned char*)block)[size - 1] != (unsigned char)size) {
    fail("a block has changed");
  }
  free(block);
}

/* ---- threads ---- */

typedef struct {
  unsigned index;
  void (*work)(unsigned index);
  uint64_t (*sum)(unsigned index); /* runs if `work` is NULL, and returns the checksum */
  uint64_t checksum;
} thread_start_t;

static unused void* thread_main(void* argument) {
  thread_start_t* start = (thread_start_t*)argument;
  if (start->work != NULL) {
    start->work(start->index);
  } else {
    start->checksum = start->sum(start->index);
  }
  return NULL;
}

enum { MOST_THREADS = 1024 };

static unused uint64_t run_starts(unsigned count, void (*work)(unsigned index),
                                  uint64_t (*sum)(unsigned index)) {
  static pthread_t threads[MOST_THREADS];
  static thread_start_t starts[MOST_THREADS];
  uint64_t checksum = 0;
  if (count > MOST_THREADS) fail("too many threads");
  for (unsigned i = 0; i < count; i++) {
    thread_start_t start = {i, work, sum, 0};
    starts[i] = start;
    if (pthread_create(&threads[i], NULL, thread_main, &starts[i]) != 0) fail("pthread_create");
  }
  for (unsigned i = 0; i < count; i++) {
    pthread_join(threads[i], NULL);
    checksum = mix(checksum ^ starts[i].checksum);
  }
  return checksum;
}

/* Runs work(0) to work(count - 1), each on a thread of its own, and waits for all of them. */
static unused void run_threads(unsigned count, void (*work)(unsigned index)) {
  run_starts(count, work, NULL);
}

/* Like run_threads, and returns one checksum of what the threads return. */
static unused uint64_t sum_threads(unsigned count, uint64_t (*work)(unsigned index)) {
  return run_starts(count, NULL, work);
}

#endif
