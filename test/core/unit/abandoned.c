/* The mark of an abandoned segment: who clears it owns the segment, and only one does. */
#include "segment/abandoned.h"
#include "segment/segment_queue.h"

#include <pthread.h>

#include "check.h"
#include "memory.h"

enum { SEGMENTS = 20, THREADS = 3 };

static mi_segments_tld_t tld;
static mi_segment_t* segments[SEGMENTS];

static void abandon(mi_segment_t* segment) {
  segment->abandoned_pages = segment->used;
  mi_segment_queue_remove(&tld, segment);
  mi_segment_abandon(&tld, segment);
}

static pthread_barrier_t barrier;

typedef struct racer_s {
  mi_segments_tld_t tld;
  bool won[SEGMENTS];
  bool by_cursor;
} racer_t;

static void give_back(racer_t* r, mi_segment_t* segment) {
  CHECK(mi_segment_is_mine(segment));
  CHECK_CMP(segment->queue, !=, MI_QUEUE_NONE);
  segment->abandoned_pages = segment->used;
  mi_segment_queue_remove(&r->tld, segment);
}

static void* race(void* arg) {
  racer_t* r = arg;
  pthread_barrier_wait(&barrier);
  if (r->by_cursor) {
    for (mi_segment_t* s; (s = mi_segment_adopt_next(&r->tld)) != NULL;) {
      give_back(r, s);
      for (int i = 0; i < SEGMENTS; i++) r->won[i] |= segments[i] == s;
    }
  } else {
    for (int i = 0; i < SEGMENTS; i++) {
      r->won[i] = mi_segment_try_adopt(&r->tld, segments[i]);
      if (r->won[i]) give_back(r, segments[i]);
    }
  }
  pthread_barrier_wait(&barrier);
  /* Left for the main thread. */
  for (int i = 0; i < SEGMENTS; i++) {
    if (r->won[i]) mi_segment_abandon(&r->tld, segments[i]);
  }
  CHECK_EQ(r->tld.count, 0);
  return NULL;
}

static void one_winner(void) {
  racer_t racers[THREADS] = {{.by_cursor = true}};
  pthread_t threads[THREADS];
  pthread_barrier_init(&barrier, NULL, THREADS);
  for (int i = 0; i < THREADS; i++)
    CHECK_EQ(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int s = 0; s < SEGMENTS; s++) {
    int winners = 0;
    for (int i = 0; i < THREADS; i++) winners += racers[i].won[s];
    CHECK_EQ(winners, 1);
  }
  pthread_barrier_destroy(&barrier);
}

int main(void) {
  mi_page_t* pages[SEGMENTS];
  for (int i = 0; i < SEGMENTS; i++) {
    /* Another segment each time: its predecessor is out of the queue. */
    pages[i] = mi_segment_page_alloc(&tld, 64);
    segments[i] = mi_segment_of(pages[i]);
    CHECK_EQ(mi_abandoned_count(&tld), (size_t)i);
    abandon(segments[i]);
    CHECK_EQ(mi_segment_owner(segments[i]), 0);
  }
  CHECK_EQ(tld.count, 0);
  CHECK_EQ(memory_gauges().abandoned, SEGMENTS);

  CHECK(mi_segment_try_adopt(&tld, segments[3]));
  CHECK(!mi_segment_try_adopt(&tld, segments[3]));
  CHECK_EQ(mi_abandoned_count(&tld), SEGMENTS - 1);
  CHECK_EQ(tld.count, 1);
  CHECK(mi_segment_is_mine(segments[3]));
  abandon(segments[3]);

  for (int round = 0; round < 20; round++) one_winner();
  CHECK_EQ(mi_abandoned_count(&tld), SEGMENTS);

  for (int i = 0; i < SEGMENTS; i++) CHECK(mi_segment_adopt_next(&tld) != NULL);
  CHECK_PTR(mi_segment_adopt_next(&tld), ==, NULL);
  CHECK_EQ(mi_abandoned_count(&tld), 0);
  for (int i = 0; i < SEGMENTS; i++) mi_segment_page_free(&tld, pages[i]);
  CHECK_EQ(tld.count, 0);
  memory_check();
  return 0;
}
