/* Threads that go on allocating while they end: in the destructors of keys older and younger than miheap's, in
   every round that the system offers; atexit handlers; a detached thread that is still at it when the process
   ends. */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "ours.h"
#include "pattern.h"

#ifndef PTHREAD_DESTRUCTOR_ITERATIONS
#define PTHREAD_DESTRUCTOR_ITERATIONS 4
#endif
enum { KEYS = 2, ROUNDS = PTHREAD_DESTRUCTOR_ITERATIONS, SIZES = 6, THREADS = 200 };
static const size_t sizes[SIZES] = {10, 100, 3000, 20000, 700000, 4000000};

static pthread_key_t keys[KEYS]; /* the first is older than anything */
static _Atomic(int) destructors_run;

typedef struct value_s {
  int key;
  int round;
  void* blocks[SIZES];
} value_t;

static void fill(value_t* value) {
  for (int i = 0; i < SIZES; i++) {
    value->blocks[i] = malloc(sizes[i]);
    CHECK(value->blocks[i] != NULL);
    pattern_fill(value->blocks[i], sizes[i], (uint64_t)value->round);
  }
}

static void empty(value_t* value) {
  for (int i = 0; i < SIZES; i++) {
    CHECK(pattern_holds(value->blocks[i], sizes[i], (uint64_t)value->round));
    free(value->blocks[i]);
  }
}

/* Each round frees what the one before allocated, and leaves as much to the next; the last leaves nothing. */
static void destructor(void* p) {
  value_t* value = p;
  atomic_fetch_add(&destructors_run, 1);
  empty(value);
  if (++value->round == ROUNDS) {
    fill(value);
    empty(value);
    free(value);
    return;
  }
  fill(value);
  value = realloc(value, sizeof(*value) + (size_t)value->round * 100);
  CHECK(value != NULL);
  CHECK_EQ(pthread_setspecific(keys[value->key], value), 0);
}

/* Called twice: not every C library knows preinit_array. */
static void oldest_key(void) {
  static bool made;
  if (!made) made = pthread_key_create(&keys[0], destructor) == 0;
}
__attribute__((section(".preinit_array"), used)) static void (*preinit)(void) = oldest_key;
__attribute__((constructor(101))) static void first_constructor(void) { oldest_key(); }

static void set_key(int key) {
  value_t* value = malloc(sizeof(*value));
  *value = (value_t){.key = key};
  fill(value);
  CHECK_EQ(pthread_setspecific(keys[key], value), 0);
}

static void* work(void* arg) {
  for (int key = 0; key < KEYS; key++) set_key(key);
  return arg;
}

static long resident_kib(void) {
  unsigned long pages = 0;
  FILE* f = fopen("/proc/self/statm", "r");
  CHECK(f != NULL && fscanf(f, "%*u %lu", &pages) == 1);
  fclose(f);
  return (long)(pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024);
}

static void run_threads(void) {
  for (int i = 0; i < THREADS; i += 2) {
    pthread_t pair[2];
    CHECK_EQ(pthread_create(&pair[0], NULL, work, NULL), 0);
    CHECK_EQ(pthread_create(&pair[1], NULL, work, NULL), 0);
    pthread_join(pair[0], NULL);
    pthread_join(pair[1], NULL);
  }
}

static void* survivor(void* arg) {
  atomic_store((_Atomic(bool)*)arg, true);
  for (;;) {
    void* p = malloc(1000);
    void* q = malloc(3000000);
    free(p);
    free(q);
  }
  return NULL;
}

static void* kept_until_exit;

static void at_exit(void) {
  CHECK(pattern_holds(kept_until_exit, 100000, 3));
  free(kept_until_exit);
  for (int i = 0; i < SIZES; i++) free(opaque(malloc(sizes[i])));
}

static void after_exit_handlers(void) __attribute__((destructor));
static void after_exit_handlers(void) {
  for (int i = 0; i < SIZES; i++) free(opaque(malloc(sizes[i])));
}

int main(void) {
  CHECK_EQ(pthread_key_create(&keys[1], destructor), 0);
  run_threads();
  long before = resident_kib();
  run_threads();
  CHECK_EQ(atomic_load(&destructors_run), 2 * THREADS * KEYS * ROUNDS);
  /* Of the first run, much may have gone back already. */
  for (int i = 0; i < 40 && resident_kib() - before >= 16 * 1024; i++) usleep(50 * 1000);
  CHECK_CMP(resident_kib() - before, <, 16 * 1024);

  kept_until_exit = malloc(100000);
  pattern_fill(kept_until_exit, 100000, 3);
  CHECK_EQ(atexit(at_exit), 0);
  static _Atomic(bool) running;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, survivor, &running), 0);
  CHECK_EQ(pthread_detach(thread), 0);
  while (!atomic_load(&running)) usleep(100);
  return 0;
}
