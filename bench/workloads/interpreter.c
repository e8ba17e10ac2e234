/* Runs programs of a small language with reference-counted values: boxed numbers, pairs, strings,
   and an environment for each call. They compute a Fibonacci number, sort a list and count words.
   Many blocks live for a short time, some for long; sizes are 16 to 100 bytes. SIZE: how often all
   programs run. */
#include "workload.h"

typedef enum { NUMBER, PAIR, TEXT } kind_t;

typedef struct value_s {
  kind_t kind;
  unsigned references;
} value_t;

typedef struct {
  value_t head;
  int64_t number;
} number_t;

typedef struct {
  value_t head;
  value_t *first, *rest;
} pair_t;

typedef struct {
  value_t head;
  size_t length;
  char bytes[];
} text_t;

static value_t* made(size_t size, kind_t kind) {
  value_t* value = must(malloc(size));
  value->kind = kind;
  value->references = 1;
  return value;
}

static value_t* keep(value_t* value) {
  if (value != NULL) value->references++;
  return value;
}

static void drop(value_t* value) {
  while (value != NULL && --value->references == 0) {
    value_t* next = NULL;
    if (value->kind == PAIR) {
      drop(((pair_t*)value)->first);
      next = ((pair_t*)value)->rest;
    }
    free(value);
    value = next;
  }
}

static value_t* number(int64_t n) {
  number_t* value = (number_t*)made(sizeof(number_t), NUMBER);
  value->number = n;
  return &value->head;
}

/* A pair, which takes over both references. */
static value_t* pair(value_t* first, value_t* rest) {
  pair_t* value = (pair_t*)made(sizeof(pair_t), PAIR);
  value->first = first;
  value->rest = rest;
  return &value->head;
}

/* A new text: `a` (NULL: empty) and `length` bytes after it. */
static value_t* joined(const value_t* a, const char* bytes, size_t length) {
  const text_t* before = (const text_t*)a;
  size_t start = before == NULL ? 0 : before->length;
  text_t* value = (text_t*)made(sizeof(text_t) + start + length + 1, TEXT);
  value->length = start + length;
  if (before != NULL) memcpy(value->bytes, before->bytes, start);
  memcpy(value->bytes + start, bytes, length);
  value->bytes[start + length] = '\0';
  return &value->head;
}

static int64_t to_number(const value_t* value) { return ((const number_t*)value)->number; }
static value_t* first(const value_t* list) { return ((const pair_t*)list)->first; }
static value_t* rest(const value_t* list) { return ((const pair_t*)list)->rest; }

/* ---- calls: an environment is a block that holds the arguments ---- */

typedef struct environment_s {
  struct environment_s* outer;
  unsigned count;
  value_t* slots[];
} environment_t;

/* A new environment, which takes over the references to the arguments. */
static environment_t* enter(environment_t* outer, unsigned count, ...) {
  environment_t* frame = must(malloc(sizeof(environment_t) + count * sizeof(value_t*)));
  __builtin_va_list arguments;
  frame->outer = outer;
  frame->count = count;
  __builtin_va_start(arguments, count);
  for (unsigned i = 0; i < count; i++) frame->slots[i] = __builtin_va_arg(arguments, value_t*);
  __builtin_va_end(arguments);
  return frame;
}

static void leave(environment_t* frame) {
  for (unsigned i = 0; i < frame->count; i++) drop(frame->slots[i]);
  free(frame);
}

static value_t* fibonacci(environment_t* outer, value_t* n) {
  environment_t* frame = enter(outer, 1, n);
  value_t* result;
  if (to_number(frame->slots[0]) < 2) {
    result = keep(frame->slots[0]);
  } else {
    value_t* one = fibonacci(frame, number(to_number(n) - 1));
    value_t* two = fibonacci(frame, number(to_number(n) - 2));
    result = number(to_number(one) + to_number(two));
    drop(one);
    drop(two);
  }
  leave(frame);
  return result;
}

/* A new list of the values of two sorted lists, in order. */
static value_t* merged(value_t* a, value_t* b) {
  value_t *result = NULL, **end = &result;
  while (a != NULL || b != NULL) {
    value_t** smaller =
        b == NULL || (a != NULL && to_number(first(a)) <= to_number(first(b))) ? &a : &b;
    *end = pair(keep(first(*smaller)), NULL);
    end = &((pair_t*)*end)->rest;
    *smaller = rest(*smaller);
  }
  return result;
}

/* A new list with the first `count` values of `list` in order. */
static value_t* sorted(value_t* list, size_t count) {
  if (count == 1) return pair(keep(first(list)), NULL);
  value_t* middle = list;
  for (size_t i = 0; i < count / 2; i++) middle = rest(middle);
  environment_t* frame = enter(NULL, 2, sorted(list, count / 2), sorted(middle, count - count / 2));
  value_t* result = merged(frame->slots[0], frame->slots[1]);
  leave(frame);
  return result;
}

/* ---- words: a chained hash table from text to number, which grows by doubling ---- */

typedef struct entry_s {
  struct entry_s* next;
  uint64_t hash;
  value_t *key, *count;
} entry_t;

typedef struct {
  entry_t** buckets;
  size_t size, used;
} table_t;

static uint64_t hash_of(const text_t* text) {
  uint64_t hash = text->length;
  for (size_t i = 0; i < text->length; i++) hash = hash * 31 + (unsigned char)text->bytes[i];
  return mix(hash);
}

static void table_grow(table_t* table) {
  size_t size = table->size == 0 ? 8 : table->size * 2;
  entry_t** buckets = must(calloc(size, sizeof(entry_t*)));
  for (size_t i = 0; i < table->size; i++) {
    for (entry_t *entry = table->buckets[i], *next; entry != NULL; entry = next) {
      next = entry->next;
      entry->next = buckets[entry->hash & (size - 1)];
      buckets[entry->hash & (size - 1)] = entry;
    }
  }
  free(table->buckets);
  table->buckets = buckets;
  table->size = size;
}

static void count_word(table_t* table, value_t* word) {
  const text_t* text = (const text_t*)word;
  uint64_t hash = hash_of(text);
  if (table->used >= table->size) table_grow(table);
  entry_t* entry = table->buckets[hash & (table->size - 1)];
  while (entry != NULL && (entry->hash != hash || ((text_t*)entry->key)->length != text->length ||
                           memcmp(((text_t*)entry->key)->bytes, text->bytes, text->length) != 0)) {
    entry = entry->next;
  }
  if (entry == NULL) {
    entry = must(malloc(sizeof(*entry)));
    entry->hash = hash;
    entry->key = keep(word);
    entry->count = number(0);
    entry->next = table->buckets[hash & (table->size - 1)];
    table->buckets[hash & (table->size - 1)] = entry;
    table->used++;
  }
  value_t* more = number(to_number(entry->count) + 1);
  drop(entry->count);
  entry->count = more;
}

/* Frees the table. Returns a checksum. */
static uint64_t table_drop(table_t* table) {
  uint64_t total = 0;
  for (size_t i = 0; i < table->size; i++) {
    for (entry_t *entry = table->buckets[i], *next; entry != NULL; entry = next) {
      next = entry->next;
      total += entry->hash * (uint64_t)to_number(entry->count);
      drop(entry->key);
      drop(entry->count);
      free(entry);
    }
  }
  free(table->buckets);
  return total;
}

/* ---- the programs ---- */

static uint64_t run_sort(random_t* random, size_t count) {
  value_t* list = NULL;
  for (size_t i = 0; i < count; i++) {
    list = pair(number((int64_t)random_below(random, 1u << 30)), list);
  }
  value_t* ordered = sorted(list, count);
  uint64_t sum = 0;
  for (value_t* at = ordered; at != NULL; at = rest(at)) {
    if (rest(at) != NULL && to_number(first(at)) > to_number(first(rest(at)))) fail("not sorted");
    sum = mix(sum ^ (uint64_t)to_number(first(at)));
  }
  drop(ordered);
  drop(list);
  return sum;
}

static uint64_t run_words(random_t* random, size_t count) {
  table_t table = {NULL, 0, 0};
  for (size_t i = 0; i < count; i++) {
    value_t* word = NULL;
    random_t letters = {random_below(random, count / 4 + 1)};
    for (size_t syllables = random_between(&letters, 1, 5); syllables > 0; syllables--) {
      char syllable[2] = {(char)('a' + random_below(&letters, 20)),
                          (char)('a' + random_below(&letters, 5))};
      value_t* longer = joined(word, syllable, 2);
      drop(word);
      word = longer;
    }
    count_word(&table, word);
    drop(word);
  }
  return table_drop(&table);
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 16, 1);
  random_t random = {1};
  uint64_t checksum = 0;
  for (size_t i = 0; i < given.size; i++) {
    value_t* result = fibonacci(NULL, number(24));
    if (to_number(result) != 46368) fail("fibonacci");
    drop(result);
    checksum = mix(checksum ^ run_sort(&random, 50000));
    checksum = mix(checksum ^ run_words(&random, 100000));
  }
  return finish(checksum);
}
