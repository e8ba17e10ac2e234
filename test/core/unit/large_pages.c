/* Where large pages are asked for: in memory that is likely to be written all over, until some of it is purged. */
#include "segment/large_pages.h"

#include <inttypes.h>
#include <miheap.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "os/rare.h"
#include "pattern.h"
#include "resident.h"
#include "segment/pace.h"
#include "segment/purge.h"
#include "segment/segment.h"

#define MIB ((size_t)1 << 20)

enum { BLOCKS = 16, HALVES_OF_BLOCK = 4 };
#define BLOCK_SIZE (HALVES_OF_BLOCK * MI_OS_LARGE_PAGE)

/* Of a block in a run: whether a large page was asked for where p points. */
static bool is_large(const uint8_t* block, const uint8_t* p) {
  mi_slot_ref_t slot = mi_segment_slot(mi_segment_find(block));
  size_t unit = (size_t)(p - mi_slot_start(slot)) >> MI_UNIT_SHIFT;
  slot.index += (unsigned)(unit / MI_UNITS_PER_SEGMENT);
  return mi_large_pages_among(slot, (uint64_t)1 << unit % MI_UNITS_PER_SEGMENT) != 0;
}

static unsigned large_halves(const uint8_t* block) {
  unsigned count = 0;
  for (unsigned i = 0; i < HALVES_OF_BLOCK; i++) {
    count += is_large(block, block + i * MI_OS_LARGE_PAGE);
  }
  return count;
}

static uint8_t* blocks[BLOCKS];

/* Returns how many large pages the blocks got that were allocated last. */
static unsigned allocate(size_t stride) {
  unsigned large = 0;
  for (unsigned i = 0; i < BLOCKS; i++) {
    blocks[i] = mi_malloc(BLOCK_SIZE);
    CHECK(blocks[i] != NULL);
    if (i >= BLOCKS / 2) large += large_halves(blocks[i]);
    for (size_t at = 0; stride > 0 && at < BLOCK_SIZE; at += stride) blocks[i][at] = 1;
  }
  return large;
}

static void give_back(void) {
  for (unsigned i = 0; i < BLOCKS; i++) mi_free(blocks[i]);
  mi_collect(true);
}

static void none_is_left(void) {
  CHECK_EQ(atomic_load(&mi_large_pages_requests), 0);
  size_t count = mi_chunk_count();
  for (size_t i = 0; i < count; i++) {
    if (mi_chunk_at(i)->start == NULL) continue; /* unmapped */
    for (unsigned index = 0; index < MI_SLOTS_PER_CHUNK; index++) {
      mi_slot_t* slot = &mi_chunk_at(i)->slots[index];
      CHECK_EQ(atomic_load(&slot->large), 0);
    }
  }
}

static void blocks_that_are_written(void) {
  unsigned large = allocate(MI_OS_LEAST_PAGE);
  unsigned all = BLOCKS / 2 * HALVES_OF_BLOCK;
  CHECK_CMP(large, >, all / 2);
  CHECK_CMP(large, <, all); /* some halves are always looked at */
  memory_check();
  give_back();
  none_is_left();
}

/* The last half of a block that does not fill it. */
static void not_beyond_a_block(void) {
  uint8_t* block = mi_malloc(2 * MI_OS_LARGE_PAGE + MI_UNIT_SIZE);
  for (unsigned i = 0; i < 16; i++) {
    CHECK(!is_large(block, block + 2 * MI_OS_LARGE_PAGE));
    mi_free(block);
    mi_collect(true);
    block = mi_malloc(2 * MI_OS_LARGE_PAGE + MI_UNIT_SIZE);
  }
  mi_free(block);
  mi_collect(true);
}

static void not_where_little_is_written(void) {
  blocks_that_are_written();
  allocate(4 * MI_OS_LEAST_PAGE);
  give_back();
  CHECK_EQ(allocate(4 * MI_OS_LEAST_PAGE), 0);
  give_back();
}

/* What nobody writes to says neither the one nor the other. */
static void untouched_blocks_say_nothing(void) {
  allocate(0);
  give_back();
  CHECK_EQ(allocate(0), 0);
  give_back();
}

/* A block with at least so many large halves; the others are given back. */
static uint8_t* block_with_large(unsigned least) {
  uint8_t* found = NULL;
  allocate(MI_OS_LEAST_PAGE);
  for (unsigned i = 0; i < BLOCKS; i++) {
    if (found == NULL && large_halves(blocks[i]) >= least) {
      found = blocks[i];
    } else {
      mi_free(blocks[i]);
    }
  }
  CHECK(found != NULL);
  mi_collect(true);
  return found;
}

static size_t page_faults(void) {
  mi_process_info_t info;
  mi_os_process_info(&info);
  return info.page_reclaims;
}

/* Blocks that outgrow their runs are moved, not copied: in chunks that are new, too. */
static void until_moved(void) {
  enum { MOST_FAULTS = BLOCK_SIZE / MI_OS_LEAST_PAGE / 2 };
  CHECK_CMP(allocate(MI_OS_LEAST_PAGE), >, 0);
  for (unsigned i = 0; i < BLOCKS; i++) {
    pattern_fill(blocks[i], BLOCK_SIZE, i);
    size_t before = page_faults();
    blocks[i] = mi_realloc(blocks[i], 8 * BLOCK_SIZE);
    CHECK_CMP(page_faults() - before, <, MOST_FAULTS);
    CHECK(mi_segment_find(blocks[i])->chunk == NULL);
    CHECK(pattern_holds_prefix(blocks[i], BLOCK_SIZE, BLOCK_SIZE, i));
  }
  none_is_left();
  give_back();
}

static mi_slot_ref_t slots[BLOCKS];

/* Takes some slots, and returns the last of which all is large. */
static mi_slot_ref_t take_slots(void) {
  mi_slot_ref_t found = {NULL, 0};
  bool zero;
  for (unsigned i = 0; i < BLOCKS; i++) {
    CHECK(mi_slot_take(NULL, &slots[i], ~(uint64_t)0, &zero));
    memset(mi_slot_start(slots[i]), 1, MI_SEGMENT_SIZE);
    if (mi_large_pages_among(slots[i], ~(uint64_t)0) == ~(uint64_t)0) found = slots[i];
  }
  CHECK(found.chunk != NULL);
  return found;
}

static void release_slots(void) {
  for (unsigned i = 0; i < BLOCKS; i++) {
    mi_units_release(slots[i], ~(uint64_t)0, 0);
    mi_slot_release(slots[i]);
  }
  mi_purge_all();
  none_is_left();
}

/* Two units of a half go, and with them the request for that half alone. */
static void until_a_part_is_purged(void) {
  bool zero;
  mi_slot_ref_t slot = take_slots();
  mi_units_release(slot, mi_bits64(3, 2), 0);
  CHECK_EQ(mi_large_pages_among(slot, ~(uint64_t)0), ~(uint64_t)0);
  mi_purge_all();
  CHECK_EQ(mi_large_pages_among(slot, ~(uint64_t)0), mi_large_page_units(1));
  size_t resident = resident_in(mi_slot_start(slot), MI_SEGMENT_SIZE);
  CHECK_EQ(resident, MI_SEGMENT_SIZE - 2 * MI_UNIT_SIZE);
  CHECK(mi_units_take(slot, mi_bits64(3, 2), &zero));
  CHECK(zero);
  release_slots();
}

/* What is given back as never written was resident all the same. */
static void clean_is_not_resident(void) {
  mi_slot_ref_t slot = take_slots();
  bool zero;
  uint64_t rest = mi_bits64(32, 8);
  mi_units_release(slot, mi_bits64(40, 24), 0);
  mi_purge_all();
  CHECK_EQ(mi_large_pages_among(slot, mi_large_page_units(1)), 0);
  mi_units_release(slot, 0, rest);
  mi_purge_all();
  CHECK_EQ(resident_in(mi_slot_start(slot) + MI_OS_LARGE_PAGE, MI_OS_LARGE_PAGE), 0);
  CHECK(mi_units_take(slot, mi_large_page_units(1), &zero));
  CHECK(zero);
  release_slots();
}

/* Releases these units, and returns in which of some rounds they are purged: one each `step` milliseconds. */
static int rounds_until_purged(mi_slot_ref_t slot, uint64_t units, int64_t step) {
  static int64_t now;
  bool zero;
  int rounds = 0;
  if (now == 0) now = mi_os_now();
  mi_units_release(slot, units, 0);
  while ((atomic_load(&mi_slot_state(slot)->clean) & units) != units) {
    CHECK_CMP(++rounds, <=, 20);
    atomic_store(&mi_pace_stretch, MI_PACE_SHORTEST);
    mi_purge_budget_t all = {SIZE_MAX};
    mi_purge_round(now += step, &all);
  }
  CHECK(mi_units_take(slot, units, &zero));
  return rounds;
}

/* All of a large page, or a part of it, goes no later than ordinary memory. */
static void purged_in_time(void) {
  int64_t step = 2 * mi_option_get(mi_option_purge_delay);
  mi_slot_ref_t slot = take_slots();
  int whole = rounds_until_purged(slot, mi_large_page_units(1), step);
  int part = rounds_until_purged(slot, mi_bits64(3, 2), step);
  CHECK_EQ(mi_large_pages_among(slot, mi_large_page_units(0)), 0);
  int ordinary = rounds_until_purged(slot, mi_bits64(3, 2), step);
  CHECK_EQ(whole, ordinary);
  CHECK_EQ(part, ordinary);
  release_slots();
}

/* A part of a large page goes no earlier than that, whatever ordinary memory may. */
static void not_before_its_time(void) {
  int64_t step = mi_option_get(mi_option_purge_delay) / MI_PURGE_LOOKS;
  mi_slot_ref_t slot = take_slots();
  int part = rounds_until_purged(slot, mi_bits64(3, 2), step);
  CHECK_EQ(mi_large_pages_among(slot, mi_large_page_units(0)), 0);
  int ordinary = rounds_until_purged(slot, mi_bits64(3, 2), step);
  CHECK_CMP(part, >=, MI_PURGE_LOOKS);
  CHECK_EQ(ordinary, 2);
  release_slots();
}

static void options(void) {
  mi_option_set(mi_option_allow_thp, 0);
  CHECK_EQ(allocate(MI_OS_LEAST_PAGE), 0);
  give_back();
  mi_option_set(mi_option_allow_thp, 1);
}

/* Whether the system was told to make no large pages by itself in the mapping around p. */
static bool has_ordinary_pages(const void* p) {
  FILE* file = fopen("/proc/self/smaps", "r");
  CHECK_PTR(file, !=, NULL);
  char line[512];
  bool here = false, ordinary = false;
  while (fgets(line, sizeof(line), file) != NULL) {
    uintptr_t from, to;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2) {
      here = from <= (uintptr_t)p && (uintptr_t)p < to;
    } else if (here && strncmp(line, "VmFlags:", 8) == 0) {
      ordinary = strstr(line, " nh") != NULL;
    }
  }
  fclose(file);
  return ordinary;
}

/* Else it would, where it makes them wherever it can: the first block of each thread would be 2 MiB. */
static void none_where_none_is_asked_for(void) {
  if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) != 0) {
    puts("this system has no large pages");
    return;
  }
  void* p = mi_malloc(16);
  CHECK(has_ordinary_pages(p));
  CHECK(has_ordinary_pages(&mi_chunk_map[(uintptr_t)p >> MI_CHUNK_SHIFT]));
  mi_free(p);
  mi_arena_id_t arena;
  CHECK_EQ(mi_reserve_os_memory_ex(64 * MIB, false, false, true, &arena), 0);
  size_t size;
  CHECK(has_ordinary_pages(mi_arena_area(arena, &size)));
}

/* What all of the above is for. The system may be out of large pages for some. */
static void system_gives_them(void) {
  if (mi_os_large_pages() == MI_LARGE_PAGES_NEVER) {
    puts("this system gives no large pages");
    return;
  }
  uint8_t* block = block_with_large(HALVES_OF_BLOCK - 1);
  size_t resident = 0;
  mi_free(block);
  mi_collect(true);
  for (unsigned i = 0; i < BLOCKS; i++) {
    blocks[i] = mi_malloc(BLOCK_SIZE);
    for (size_t at = 0; at < BLOCK_SIZE; at += MI_OS_LARGE_PAGE) blocks[i][at] = 1;
    resident += resident_in(blocks[i], BLOCK_SIZE);
  }
  CHECK_CMP(resident, >=, MI_OS_LARGE_PAGE);
  give_back();
}

int main(void) {
  mi_option_set(mi_option_purge_delay, 100000);
  mi_rare_set(mi_rare_large_page, 1);
  /* In debug builds every block is written, by mi_malloc. */
  if (MI_DEBUG == 0) untouched_blocks_say_nothing();
  blocks_that_are_written();
  not_beyond_a_block();
  options();
  until_a_part_is_purged();
  purged_in_time();
  not_before_its_time();
  clean_is_not_resident();
  until_moved();
  none_where_none_is_asked_for();
  system_gives_them();
  if (MI_DEBUG == 0) not_where_little_is_written();
  return 0;
}
