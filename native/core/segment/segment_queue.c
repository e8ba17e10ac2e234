#include "segment/segment_queue.h"

#include "segment/place.h"

static int queue_for(const mi_segment_t* segment) {
  uint64_t free = ~segment->units_used;
  return free == 0 ? MI_QUEUE_NONE : 1 + mi_longest_span(free & ~(uint64_t)1);
}

static void queue_append(mi_segment_t** queue, mi_segment_t* segment) {
  segment->next = NULL;
  if (*queue == NULL) {
    *queue = segment->prev = segment;
    return;
  }
  segment->prev = (*queue)->prev;
  segment->prev->next = segment;
  (*queue)->prev = segment;
}

static void queue_unlink(mi_segment_t** queue, mi_segment_t* segment) {
  if (*queue == segment) {
    *queue = segment->next;
  } else {
    segment->prev->next = segment->next;
  }
  if (segment->next != NULL) {
    segment->next->prev = segment->prev;
  } else if (*queue != NULL) {
    (*queue)->prev = segment->prev;
  }
  segment->next = segment->prev = NULL;
}

static void queue_set(mi_segments_tld_t* tld, mi_segment_t* segment, int queue) {
  if (queue == segment->queue) return;
  if (segment->queue != MI_QUEUE_NONE) queue_unlink(&tld->free[segment->queue], segment);
  if (queue != MI_QUEUE_NONE) queue_append(&tld->free[queue], segment);
  segment->queue = (int8_t)queue;
}

void mi_segment_queue_update(mi_segments_tld_t* tld, mi_segment_t* segment) {
  queue_set(tld, segment, queue_for(segment));
}

void mi_segment_queue_remove(mi_segments_tld_t* tld, mi_segment_t* segment) {
  queue_set(tld, segment, MI_QUEUE_NONE);
}

void mi_segment_queue_rotate(mi_segments_tld_t* tld, mi_segment_t* segment) {
  mi_segment_t** queue = &tld->free[segment->queue];
  (*queue)->prev->next = *queue;
  segment->prev->next = NULL;
  *queue = segment;
}
