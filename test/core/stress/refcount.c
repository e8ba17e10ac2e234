/* A small runtime with reference counts. When the last reference to a big structure goes, freeing it all at once would
   stop the program for long; instead what has died is put aside, and the deferred-free callback frees a bounded number
   of nodes at each heartbeat of the allocator, while the program goes on. Prints the longest pause. */
#include <time.h>

#include "check.h"
#include "memory.h"
#include "miheap.h"

enum { NODES = 1000 * 1000 / TEST_SLOWNESS, CHILDREN = 3, STEP = 500 };

typedef struct node_s {
  unsigned references;
  struct node_s* next; /* in the list of the dead */
  struct node_s* child[CHILDREN];
} node_t;

static size_t alive;
static node_t* dead;
static size_t freed_in_callbacks;
static double longest_callback;
static size_t callbacks;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static node_t* node_new(void) {
  node_t* node = mi_zalloc(sizeof(node_t));
  node->references = 1;
  alive++;
  return node;
}

/* Constant time: what hangs on the node is looked at later. */
static void release(node_t* node) {
  if (node == NULL || --node->references > 0) return;
  node->next = dead;
  dead = node;
}

static void free_step(bool all) {
  for (int i = 0; dead != NULL && (all || i < STEP); i++) {
    node_t* node = dead;
    dead = node->next;
    for (int k = 0; k < CHILDREN; k++) release(node->child[k]);
    mi_free(node);
    alive--;
  }
}

static void deferred(bool force, unsigned long long heartbeat, void* arg) {
  (void)heartbeat;
  (void)arg;
  double begin = now_ms();
  size_t before = alive;
  free_step(force);
  CHECK(force || before - alive <= STEP);
  freed_in_callbacks += before - alive;
  callbacks++;
  double took = now_ms() - begin;
  if (!force && took > longest_callback) longest_callback = took;
}

/* A tree of `count` nodes. */
static node_t* tree(size_t count) {
  node_t* root = node_new();
  size_t left = count - 1;
  for (int i = 0; i < CHILDREN && left > 0; i++) {
    size_t share = left / (size_t)(CHILDREN - i);
    if (share == 0) share = 1;
    root->child[i] = tree(share);
    left -= share;
  }
  return root;
}

int main(void) {
  mi_register_deferred_free(deferred, NULL);
  double begin = now_ms();
  release(tree(NODES));
  CHECK_EQ(alive, NODES);
  free_step(true);
  double at_once = now_ms() - begin;
  CHECK_EQ(alive, 0);

  node_t* root = tree(NODES);
  CHECK_EQ(alive, NODES);
  freed_in_callbacks = callbacks = 0;
  longest_callback = 0;
  release(root);
  CHECK_EQ(alive, NODES);
  /* The program goes on, and allocates. */
  double longest_malloc = 0;
  void* work[1000] = {NULL};
  size_t mallocs = 0;
  for (; alive > 0; mallocs++) {
    begin = now_ms();
    void* p = mi_malloc(256);
    double took = now_ms() - begin;
    if (took > longest_malloc) longest_malloc = took;
    mi_free(work[mallocs % 1000]);
    work[mallocs % 1000] = p;
    CHECK_CMP(mallocs, <, (size_t)100 * NODES); /* the heartbeat is certain */
  }
  CHECK_EQ(freed_in_callbacks, NODES);
  CHECK_CMP(callbacks, >=, NODES / STEP);
  printf(
      "%d nodes, %d at a time: built and freed at once in %.1f ms; freed during %zu mallocs, the "
      "longest of which took %.3f ms and its callback %.3f ms\n",
      NODES, STEP, at_once, mallocs, longest_malloc, longest_callback);
  for (int i = 0; i < 1000; i++) mi_free(work[i]);
  mi_register_deferred_free(NULL, NULL);
  mi_collect(true);
  memory_check();
  return 0;
}
