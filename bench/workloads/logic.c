/* Minimises boolean functions by complementing them twice. A function is a cover: an array of
   cubes, each of them a block. Covers are split by variables, complemented and merged again,
   recursively. Blocks are small and live as long as their branch of the recursion. SIZE:
   functions. */
#include "workload.h"

enum { VARIABLES = 14, CUBES = 28 };
/* A cube has two bits for each variable: bit 0, it may be 0; bit 1, it may be 1. FREE: it may be
   either. */
enum { FREE = 3 };

typedef struct {
  unsigned char literals[VARIABLES];
} cube_t;

typedef struct {
  unsigned count, room;
  cube_t** cubes;
} cover_t;

static cover_t* cover(unsigned room) {
  cover_t* made = must(malloc(sizeof(*made)));
  made->count = 0;
  made->room = room;
  made->cubes = must(malloc((room + 1) * sizeof(cube_t*)));
  return made;
}

static cube_t* cube_copy(const cube_t* cube) {
  cube_t* made = must(malloc(sizeof(*made)));
  *made = *cube;
  return made;
}

static void add(cover_t* to, cube_t* cube) {
  if (to->count == to->room) {
    to->room = to->room * 2 + 1;
    to->cubes = must(realloc(to->cubes, (to->room + 1) * sizeof(cube_t*)));
  }
  to->cubes[to->count++] = cube;
}

static void drop(cover_t* dropped) {
  for (unsigned i = 0; i < dropped->count; i++) free(dropped->cubes[i]);
  free(dropped->cubes);
  free(dropped);
}

/* The function where `variable` has the value that `literal` allows; it no longer depends on it. */
static cover_t* restricted(const cover_t* from, unsigned variable, unsigned char literal) {
  cover_t* made = cover(from->count);
  for (unsigned i = 0; i < from->count; i++) {
    if ((from->cubes[i]->literals[variable] & literal) == 0) continue;
    cube_t* kept = cube_copy(from->cubes[i]);
    kept->literals[variable] = FREE;
    add(made, kept);
  }
  return made;
}

/* The variable that most cubes depend on; VARIABLES if some cube depends on no variable. */
static unsigned most_bound(const cover_t* of) {
  unsigned bound[VARIABLES] = {0}, best = 0;
  for (unsigned i = 0; i < of->count; i++) {
    unsigned literals = 0;
    for (unsigned v = 0; v < VARIABLES; v++) {
      if (of->cubes[i]->literals[v] == FREE) continue;
      bound[v]++;
      literals++;
    }
    if (literals == 0) return VARIABLES;
  }
  for (unsigned v = 1; v < VARIABLES; v++) {
    if (bound[v] > bound[best]) best = v;
  }
  return best;
}

/* Whether two cubes agree in all variables but this one. */
static int same_but(const cube_t* a, const cube_t* b, unsigned variable) {
  for (unsigned v = 0; v < VARIABLES; v++) {
    if (v != variable && a->literals[v] != b->literals[v]) return 0;
  }
  return 1;
}

/* Moves the cubes of `from` to `to`, bound by `literal`. A cube that differs from a cube of `to` in
   this variable only is merged with it. Frees `from`. */
static void move_bound(cover_t* to, cover_t* from, unsigned variable, unsigned char literal) {
  unsigned before = to->count;
  for (unsigned i = 0; i < from->count; i++) {
    cube_t* cube = from->cubes[i];
    cube->literals[variable] = literal;
    unsigned twin = 0;
    while (twin < before && !same_but(to->cubes[twin], cube, variable)) twin++;
    if (twin < before) {
      to->cubes[twin]->literals[variable] |= literal;
      free(cube);
    } else {
      add(to, cube);
    }
  }
  from->count = 0;
  drop(from);
}

static cover_t* complement(const cover_t* of) {
  cover_t* made = cover(4);
  if (of->count == 0) {
    cube_t all;
    memset(&all, FREE, sizeof(all));
    add(made, cube_copy(&all));
    return made;
  }
  unsigned variable = most_bound(of);
  if (variable == VARIABLES) return made;
  for (unsigned char literal = 1; literal <= 2; literal++) {
    cover_t* part = restricted(of, variable, literal);
    cover_t* inverse = complement(part);
    drop(part);
    move_bound(made, inverse, variable, literal);
  }
  return made;
}

/* The value of the function at a point: bit v of it is variable v. */
static int holds(const cover_t* of, unsigned point) {
  for (unsigned i = 0; i < of->count; i++) {
    unsigned v = 0;
    while (v < VARIABLES && (of->cubes[i]->literals[v] >> (point >> v & 1) & 1) != 0) v++;
    if (v == VARIABLES) return 1;
  }
  return 0;
}

static cover_t* random_cover(random_t* random) {
  cover_t* made = cover(CUBES);
  for (unsigned i = 0; i < CUBES; i++) {
    cube_t cube;
    for (unsigned v = 0; v < VARIABLES; v++) {
      size_t choice = random_below(random, 8);
      cube.literals[v] = choice == 0 ? 1 : choice == 1 ? 2 : FREE;
    }
    cube.literals[i % VARIABLES] = (unsigned char)random_between(random, 1, 2);
    add(made, cube_copy(&cube));
  }
  return made;
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 1000, 1);
  random_t random = {1};
  uint64_t checksum = 0;
  for (size_t i = 0; i < given.size; i++) {
    cover_t* function = random_cover(&random);
    cover_t* off = complement(function);
    cover_t* on = complement(off);
    for (unsigned j = 0; j < 200; j++) {
      unsigned point = (unsigned)random_below(&random, 1u << VARIABLES);
      int value = holds(function, point);
      if (holds(on, point) != value || holds(off, point) == value) fail("not the complement");
    }
    checksum = mix(checksum ^ ((uint64_t)off->count << 32 | on->count));
    drop(function);
    drop(off);
    drop(on);
  }
  return finish(checksum);
}
