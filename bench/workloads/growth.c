/* Appends to several strings a little at a time, and grows several vectors by half: realloc of all
   sizes. Some blocks could grow in place; others have neighbours in the way. SIZE: rounds of 8
   strings; every eighth round also has 2 vectors. */
#include "workload.h"

enum { TOGETHER = 8, LONGEST = 6000, LARGEST = 4 << 20 };

typedef struct {
  char* bytes;
  size_t used, room, limit;
} buffer_t;

static void append(buffer_t* to, size_t count, size_t room) {
  if (to->used + count > to->room) {
    to->room = room;
    to->bytes = must(realloc(to->bytes, room));
  }
  memset(to->bytes + to->used, (int)(to->limit & 0x7f), count);
  to->used += count;
}

/* Checks and frees a buffer. */
static uint64_t drop(buffer_t* dropped) {
  for (size_t i = 0; i < dropped->used; i += dropped->used / 16 + 1) {
    if (dropped->bytes[i] != (char)(dropped->limit & 0x7f)) fail("realloc lost bytes");
  }
  free(dropped->bytes);
  return mix(dropped->used);
}

/* Grows strings: each realloc asks for exactly the room that is needed. */
static uint64_t strings(random_t* random) {
  buffer_t growing[TOGETHER];
  uint64_t checksum = 0;
  unsigned done = 0;
  for (unsigned i = 0; i < TOGETHER; i++) {
    growing[i] = (buffer_t){NULL, 0, 0, random_size(random, 50, LONGEST)};
  }
  while (done < TOGETHER) {
    for (unsigned i = 0; i < TOGETHER; i++) {
      if (growing[i].used >= growing[i].limit) continue;
      size_t count = random_between(random, 1, 60);
      append(&growing[i], count, growing[i].used + count);
      if (growing[i].used >= growing[i].limit) done++;
    }
  }
  for (unsigned i = 0; i < TOGETHER; i++) checksum = mix(checksum ^ drop(&growing[i]));
  return checksum;
}

/* Grows vectors: each realloc asks for half as much again. */
static uint64_t vectors(random_t* random) {
  buffer_t growing[2];
  uint64_t checksum = 0;
  for (unsigned i = 0; i < 2; i++) {
    growing[i] = (buffer_t){NULL, 0, 0, random_size(random, 4096, LARGEST)};
  }
  while (growing[0].used < growing[0].limit || growing[1].used < growing[1].limit) {
    for (unsigned i = 0; i < 2; i++) {
      buffer_t* buffer = &growing[i];
      if (buffer->used < buffer->limit) append(buffer, 256, buffer->room + buffer->room / 2 + 256);
    }
  }
  for (unsigned i = 0; i < 2; i++) checksum = mix(checksum ^ drop(&growing[i]));
  return checksum;
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 120000, 1);
  random_t random = {1};
  uint64_t checksum = 0;
  for (size_t i = 0; i < given.size; i++) {
    checksum = mix(checksum ^ strings(&random));
    if (i % 8 == 0) checksum = mix(checksum ^ vectors(&random));
  }
  return finish(checksum);
}
