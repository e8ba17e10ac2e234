/* A library that has miheap inside is opened, used by several threads, and closed: TIMES times. The threads
   live on and end much later. Neither mappings nor keys nor memory are lost; what was alive at dlclose can be read
   ever after. With destroy_on_exit that goes too.

   unload PLUGIN TIMES */
#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ours.h"
#include "pattern.h"
#include "plugin.h"

enum { KEPT = 50, THREADS = 2, EXCHANGED = 30 };

static const char* path;
static plugin_work_t* plugin_work;
static plugin_release_t* plugin_release;
static plugin_keep_t* plugin_keep;
static void* exchanged[EXCHANGED];
static pthread_barrier_t begin, end;
static bool stop;

static size_t count_mappings(void) {
  FILE* f = fopen("/proc/self/maps", "r");
  CHECK(f != NULL);
  size_t lines = 0;
  for (int c; (c = getc(f)) != EOF;) lines += c == '\n';
  fclose(f);
  return lines;
}

/* Kilobytes: of addresses, and resident. */
static void sizes(long* addresses, long* resident) {
  FILE* f = fopen("/proc/self/statm", "r");
  CHECK(f != NULL && fscanf(f, "%ld %ld", addresses, resident) == 2);
  fclose(f);
  long page = sysconf(_SC_PAGESIZE) / 1024;
  *addresses *= page;
  *resident *= page;
}

static void* work(void* arg) {
  for (;;) {
    pthread_barrier_wait(&begin);
    if (stop) return arg;
    /* One after another, since they share the blocks. */
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    CHECK_EQ(plugin_work(exchanged, EXCHANGED), 0);
    pthread_mutex_unlock(&lock);
    pthread_barrier_wait(&end);
  }
}

static void* symbol(void* library, const char* name) {
  void* p = dlsym(library, name);
  CHECK(p != NULL);
  return p;
}

static void* open_plugin(void) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(library != NULL);
  *(void**)&plugin_work = symbol(library, "plugin_work");
  *(void**)&plugin_release = symbol(library, "plugin_release");
  *(void**)&plugin_keep = symbol(library, "plugin_keep");
  return library;
}

static void close_plugin(void* library) {
  CHECK_EQ(dlclose(library), 0);
  CHECK_PTR(dlopen(path, RTLD_NOW | RTLD_NOLOAD), ==, NULL); /* it is really gone */
}

/* Opens, has all threads work, closes. Keeps a block of `kept` bytes, or none. */
static void* use_once(size_t kept) {
  void* library = open_plugin();
  pthread_barrier_wait(&begin);
  pthread_barrier_wait(&end);
  CHECK_EQ(plugin_work(exchanged, EXCHANGED), 0);
  plugin_release(exchanged, EXCHANGED);
  void* p = kept == 0 ? NULL : plugin_keep(kept);
  if (kept != 0) pattern_fill(p, kept, kept);
  close_plugin(library);
  return p;
}

static void check_keys(void) {
  pthread_key_t keys[900];
  for (int i = 0; i < 900; i++) CHECK_EQ(pthread_key_create(&keys[i], NULL), 0);
  for (int i = 0; i < 900; i++) pthread_key_delete(keys[i]);
}

/* What grows by less than a mapping in 125 rounds, and 6 KiB in each, may be how memory happens to lie. */
static void nothing_is_lost(int times) {
  long addresses[2], resident[2];
  for (int i = 0; i < 20; i++) use_once(0);
  size_t mappings = count_mappings();
  sizes(&addresses[0], &resident[0]);
  for (int i = 0; i < times; i++) use_once(0);
  sizes(&addresses[1], &resident[1]);
  long most = 2048 + 6 * times;
  CHECK_CMP(count_mappings(), <=, mappings + 2 + (size_t)times / 125);
  CHECK_CMP(addresses[1], <=, addresses[0] + most);
  CHECK_CMP(resident[1], <=, resident[0] + most);
  check_keys();
}

static void what_lives_stays(void) {
  static void* kept[KEPT];
  size_t mappings = count_mappings();
  for (size_t i = 0; i < KEPT; i++) kept[i] = use_once((i + 1) * (i % 7 == 6 ? 70000 : 1000));
  for (size_t i = 0; i < KEPT; i++) {
    size_t size = (i + 1) * (i % 7 == 6 ? 70000 : 1000);
    CHECK(pattern_holds(kept[i], size, size));
    pattern_fill(kept[i], size, 1);
  }
  CHECK_CMP(count_mappings(), <=, mappings + 2 * KEPT);
}

static void or_goes_too(void) {
  CHECK_EQ(setenv("MIHEAP_DESTROY_ON_EXIT", "1", 1), 0);
  for (size_t size = 100; size < 10000000; size *= 10) {
    unsigned char state;
    uintptr_t p = (uintptr_t)use_once(size);
    errno = 0;
    CHECK_EQ(mincore((void*)(p / 65536 * 65536), 1, &state), -1);
    CHECK_EQ(errno, ENOMEM);
  }
  CHECK_EQ(unsetenv("MIHEAP_DESTROY_ON_EXIT"), 0);
}

/* Its fork handler went with the library. */
static void fork_afterwards(void) {
  pid_t pid = fork();
  CHECK_CMP(pid, >=, 0);
  if (pid == 0) {
    void* library = open_plugin();
    int failed = plugin_work(exchanged, EXCHANGED);
    close_plugin(library);
    _exit(failed);
  }
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
}

int main(int argc, char** argv) {
  CHECK_EQ(argc, 3);
  path = argv[1];
  pthread_t threads[THREADS];
  pthread_barrier_init(&begin, NULL, THREADS + 1);
  pthread_barrier_init(&end, NULL, THREADS + 1);
  for (int i = 0; i < THREADS; i++) CHECK_EQ(pthread_create(&threads[i], NULL, work, NULL), 0);
  nothing_is_lost(atoi(argv[2]) / TEST_SLOWNESS);
  what_lives_stays();
  or_goes_too();
  fork_afterwards();
  stop = true;
  pthread_barrier_wait(&begin);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  /* Open when the process ends. */
  void* library = open_plugin();
  CHECK(library != NULL);
  CHECK_EQ(plugin_work(exchanged, EXCHANGED), 0);
  return 0;
}
