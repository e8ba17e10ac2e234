#include "segment/arena.h"

#include "options/report.h"
#include "os/os.h"
#include "segment/chunk.h"
#include "segment/map.h"
#include "segment/slot.h"
#include "stats/stats.h"

/* How often a search is repeated while other threads hold slots that they may give back at once. */
enum { MOST_ROUNDS = 100 };

static mi_arena_t arenas[MI_ARENA_MOST];
static _Atomic(size_t) arena_count;
static _Atomic(size_t) shared_count;

size_t mi_arena_count(void) { return atomic_load_explicit(&arena_count, memory_order_acquire); }

mi_arena_t* mi_arena_at(size_t index) { return &arenas[index]; }

mi_arena_t* mi_arena_with_id(mi_arena_id_t id) {
  return id < 1 || (size_t)id > mi_arena_count() ? NULL : &arenas[id - 1];
}

static size_t size_of(const mi_arena_t* arena) { return arena->slot_count << MI_SEGMENT_SHIFT; }

static bool contains(const mi_arena_t* arena, const void* p) {
  return (uintptr_t)p - (uintptr_t)arena->start < size_of(arena);
}

bool mi_is_in_arena(const void* p) {
  size_t count = mi_arena_count();
  for (size_t i = 0; i < count; i++) {
    if (contains(&arenas[i], p)) return true;
  }
  return false;
}

/* ---- Adding one ---- */

/* True while a thread adds an arena. Only other threads that add one wait for it. */
static _Atomic(bool) adding;

/* Whether some of the arena's memory is ours already. */
static bool is_ours(const mi_arena_t* arena) {
  size_t count = mi_arena_count();
  for (size_t i = 0; i < count; i++) {
    if (arena->start < arenas[i].start + size_of(&arenas[i]) &&
        arenas[i].start < arena->start + size_of(arena)) {
      return true;
    }
  }
  for (size_t i = 0; i < arena->slot_count; i++) {
    const uint8_t* p = arena->start + (i << MI_SEGMENT_SHIFT);
    if (mi_is_in_chunk(p) || mi_segment_table_covers(p)) return true;
  }
  return false;
}

/* Prepares all of the arena but its free slots. Returns why that cannot be, or NULL. */
static const char* set_up(mi_arena_t* arena) {
  /* The chunk map goes no further. */
  if (((uintptr_t)arena->start + size_of(arena) - 1) >> MI_ADDRESS_BITS != 0 ||
      !mi_os_is_mapped(arena->start, size_of(arena))) {
    return "the process has no memory there";
  }
  if (is_ours(arena)) return "some of it is miheap's already";
  if (!mi_segment_table_prepare(arena->start, size_of(arena)) || !mi_chunks_reserve(arena)) {
    return "there is no memory for descriptors";
  }
  /* The first bytes of a slot are read when a thread frees a pointer into it, even before the slot
     was ever used. At last, since the system may do a part of it, and then refuse. */
  if (arena->uncommitted && !mi_os_protect(arena->start, size_of(arena), MI_ACCESS_READ)) {
    mi_chunks_unreserve(arena);
    return "the system does not let us read it";
  }
  return NULL;
}

/* Adds an arena from `from` to `to`. Returns NULL and sets *why if that cannot be. The caller has
   set `adding`. */
static mi_arena_t* add(const mi_arena_t* wanted, uintptr_t from, uintptr_t to, const char** why) {
  size_t index = mi_arena_count();
  *why = "there are too many";
  if (index == MI_ARENA_MOST) return NULL;
  mi_arena_t* arena = &arenas[index];
  *arena = (mi_arena_t){
      .id = (mi_arena_id_t)index + 1,
      .start = (uint8_t*)from,
      .slot_count = (to - from) >> MI_SEGMENT_SHIFT,
      .numa_node = wanted->numa_node,
      .exclusive = wanted->exclusive,
      .resident = wanted->resident,
      .uncommitted = wanted->uncommitted,
      .foreign = wanted->foreign,
      .zero = wanted->zero,
  };
  *why = set_up(arena);
  if (*why != NULL) return NULL;
  mi_chunks_publish(arena);
  atomic_store_explicit(&arena_count, index + 1, memory_order_release);
  if (!arena->exclusive) atomic_fetch_add_explicit(&shared_count, 1, memory_order_relaxed);
  mi_stat_count(arena_count, 1);
  return arena;
}

mi_arena_t* mi_arena_add(const mi_arena_t* wanted, void* start, size_t size) {
  uintptr_t first = (uintptr_t)start;
  uintptr_t end;
  if (__builtin_add_overflow(first, size, &end)) end = 0;
  uintptr_t from = mi_align_up(first, MI_SEGMENT_SIZE);
  uintptr_t to = mi_align_down(end, MI_SEGMENT_SIZE);
  mi_arena_t* arena = NULL;
  const char* why = "it must hold 4 MiB at a multiple of 4 MiB";
  if (start != NULL && from >= first && from < to) {
    for (unsigned round = 0; atomic_exchange_explicit(&adding, true, memory_order_acquire); round++)
      mi_os_yield(round);
    arena = add(wanted, from, to, &why);
    atomic_store_explicit(&adding, false, memory_order_release);
  }
  if (arena == NULL) mi_warning("%zu bytes at %p cannot be an arena: %s\n", size, start, why);
  return arena;
}

void mi_arenas_in_forked_child(void) {
  atomic_store_explicit(&adding, false, memory_order_relaxed);
  size_t count = mi_arena_count();
  for (size_t i = 0; i < count; i++) atomic_store(&arenas[i].takers, 0);
}

/* ---- Slots ---- */

static mi_slot_ref_t slot_at(const mi_arena_t* arena, size_t slot) {
  uintptr_t p = (uintptr_t)arena->start + (slot << MI_SEGMENT_SHIFT);
  size_t chunk = (p >> MI_CHUNK_SHIFT) - ((uintptr_t)arena->start >> MI_CHUNK_SHIFT);
  mi_slot_ref_t ref = {mi_chunk_at(arena->first_chunk + chunk), 0};
  ref.index = (unsigned)((p - (uintptr_t)ref.chunk->start) >> MI_SEGMENT_SHIFT);
  return ref;
}

bool mi_arena_take_slot(mi_arena_t* arena, mi_slot_ref_t* ref, uint64_t mask, bool* zero) {
  for (unsigned round = 0; round < MOST_ROUNDS; round++) {
    uint64_t takers = atomic_load(&arena->takers);
    bool busy = false;
    size_t end = arena->first_chunk + arena->chunk_count;
    for (size_t i = arena->first_chunk; i < end; i++) {
      if (mi_slot_take_in(mi_chunk_at(i), ref, mask, zero, &busy)) return true;
    }
    /* What is being purged is free in a moment, and a thread that tries to take several slots may
       give them back. */
    uint64_t now = atomic_load(&arena->takers);
    if (!busy && now == takers && (uint32_t)now == 0) break;
    mi_os_yield(round);
  }
  return false;
}

static bool is_free(mi_slot_ref_t ref) {
  return (atomic_load_explicit(&ref.chunk->free, memory_order_relaxed) >> ref.index & 1) != 0;
}

/* Releases `count` slots from number `first` on. All their units become dirty, whatever they were
   before. */
static void release_slots(const mi_arena_t* arena, size_t first, size_t count) {
  for (size_t i = 0; i < count; i++) {
    mi_slot_ref_t ref = slot_at(arena, first + i);
    mi_units_release(ref, ~(uint64_t)0, 0);
    mi_slot_release(ref);
  }
}

static bool
take_slots(const mi_arena_t* arena, size_t first, size_t count, bool* zero, bool* busy) {
  *zero = true;
  for (size_t i = 0; i < count; i++) {
    bool slot_is_zero;
    mi_slot_ref_t ref = slot_at(arena, first + i);
    if (!mi_slot_take_this(ref, ~(uint64_t)0, &slot_is_zero, busy)) {
      release_slots(arena, first, i);
      *busy = true; /* the slot was free when we looked */
      return false;
    }
    *zero = *zero && slot_is_zero;
  }
  return true;
}

/* Takes these slots, all or none. While a thread holds some of them and not yet all, `takers` says
   so: its lower half counts such threads, its upper half how often such an attempt ended. */
static bool take_together(mi_arena_t* arena, size_t first, size_t count, bool* zero, bool* busy) {
  atomic_fetch_add(&arena->takers, 1);
  bool taken = take_slots(arena, first, count, zero, busy);
  atomic_fetch_add(&arena->takers, ((uint64_t)1 << 32) - 1);
  return taken;
}

/* Takes the first `count` slots that are free together. */
static bool take_run(mi_arena_t* arena, size_t count, mi_slot_ref_t* ref, bool* zero, bool* busy) {
  size_t run = 0;
  for (size_t slot = 0; slot < arena->slot_count; slot++) {
    run = is_free(slot_at(arena, slot)) ? run + 1 : 0;
    if (run < count) continue;
    size_t first = slot + 1 - count;
    if (take_together(arena, first, count, zero, busy)) {
      *ref = slot_at(arena, first);
      return true;
    }
    run = 0;
  }
  return false;
}

static bool take_run_of(mi_arena_t* arena, size_t count, mi_slot_ref_t* first, bool* zero) {
  bool busy = count <= arena->slot_count;
  for (unsigned round = 0; busy && round < MOST_ROUNDS; round++) {
    uint64_t takers = atomic_load(&arena->takers);
    busy = false;
    if (take_run(arena, count, first, zero, &busy)) return true;
    uint64_t now = atomic_load(&arena->takers);
    busy = busy || now != takers || (uint32_t)now != 0;
    if (busy) mi_os_yield(round);
  }
  return false;
}

static bool take_run_somewhere(size_t count, mi_slot_ref_t* first, bool* zero) {
  if (atomic_load_explicit(&shared_count, memory_order_relaxed) == 0 ||
      mi_option_is_enabled(mi_option_disallow_arena_alloc)) {
    return false;
  }
  size_t arena_end = mi_arena_count();
  for (size_t i = 0; i < arena_end; i++) {
    if (!arenas[i].exclusive && take_run_of(&arenas[i], count, first, zero)) return true;
  }
  return false;
}

/* Makes pointers into these slots of the run lead to its segment. */
static void enter(mi_slot_ref_t first, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    mi_slot_enter(mi_slot_start(first) + (i << MI_SEGMENT_SHIFT), i == 0);
  }
}

bool mi_arena_take_run(mi_arena_t* arena, size_t count, mi_slot_ref_t* first, bool* zero) {
  bool taken = arena != NULL ? take_run_of(arena, count, first, zero)
                             : take_run_somewhere(count, first, zero);
  if (taken) enter(*first, 0, count);
  return taken;
}

static size_t number_of(const mi_arena_t* arena, mi_slot_ref_t ref) {
  return (size_t)(mi_slot_start(ref) - arena->start) >> MI_SEGMENT_SHIFT;
}

bool mi_arena_extend_run(mi_slot_ref_t first, size_t from, size_t to, bool* zero) {
  mi_arena_t* arena = mi_arena_of(first.chunk);
  size_t start = number_of(arena, first);
  if (to > arena->slot_count - start) return false;
  for (size_t i = from; i < to; i++) {
    if (!is_free(slot_at(arena, start + i))) return false;
  }
  bool busy;
  if (!take_together(arena, start + from, to - from, zero, &busy)) return false;
  enter(first, from, to);
  return true;
}

void mi_arena_release_run(mi_slot_ref_t first, size_t from, size_t to) {
  const mi_arena_t* arena = mi_arena_of(first.chunk);
  release_slots(arena, number_of(arena, first) + from, to - from);
}

void mi_arenas_print_to(mi_output_fun* out, void* arg) {
  size_t count = mi_arena_count();
  for (size_t i = 0; i < count; i++) {
    const mi_arena_t* arena = &arenas[i];
    size_t used = 0;
    for (size_t slot = 0; slot < arena->slot_count; slot++) used += !is_free(slot_at(arena, slot));
    mi_print_to(out, arg, "arena %d: %p, %zu MiB, %zu MiB in use%s%s%s, NUMA node %d\n", arena->id,
                (void*)arena->start, size_of(arena) >> 20, used << (MI_SEGMENT_SHIFT - 20),
                arena->exclusive ? ", exclusive" : "", arena->resident ? ", pinned" : "",
                arena->uncommitted ? ", committed when used" : "", arena->numa_node);
  }
}
