/* Moves bodies that attract each other, by the method of Barnes and Hut: each step builds an octree
   of blocks, walks it for every body, and frees it. Allocation comes in bursts, reading in between.
   SIZE: bodies. */
#include <math.h>

#include "workload.h"

enum { STEPS = 12, DEPTH = 40 };

typedef struct {
  double at[3], speed[3], mass;
} body_t;

typedef struct node_s {
  double centre[3], half;   /* the cube, and half its edge */
  double weighted[3], mass; /* sums over the bodies in it: place times mass, and mass */
  const body_t* body;       /* of a leaf; NULL: not a leaf */
  struct node_s* children[8];
} node_t;

static node_t* node(const double* centre, double half) {
  node_t* made = must(calloc(1, sizeof(*made)));
  memcpy(made->centre, centre, sizeof(made->centre));
  made->half = half;
  return made;
}

static void insert(node_t* root, const body_t* body, unsigned depth);

static void insert_below(node_t* parent, const body_t* body, unsigned depth) {
  unsigned octant = 0;
  double centre[3];
  for (unsigned d = 0; d < 3; d++) {
    int above = body->at[d] >= parent->centre[d];
    octant |= (unsigned)above << d;
    centre[d] = parent->centre[d] + (above ? parent->half : -parent->half) / 2;
  }
  if (parent->children[octant] == NULL) parent->children[octant] = node(centre, parent->half / 2);
  insert(parent->children[octant], body, depth + 1);
}

static void insert(node_t* root, const body_t* body, unsigned depth) {
  int was_empty = root->mass == 0;
  for (unsigned d = 0; d < 3; d++) root->weighted[d] += body->at[d] * body->mass;
  root->mass += body->mass;
  if (was_empty) {
    root->body = body;
    return;
  }
  if (depth == DEPTH) return; /* bodies in the same place share a leaf */
  if (root->body != NULL) insert_below(root, root->body, depth);
  root->body = NULL;
  insert_below(root, body, depth);
}

static void drop(node_t* root) {
  if (root == NULL) return;
  for (unsigned i = 0; i < 8; i++) drop(root->children[i]);
  free(root);
}

static void attract(const node_t* from, const body_t* body, double* force) {
  double offset[3], square = 1e-4;
  if (from == NULL || from->body == body) return;
  for (unsigned d = 0; d < 3; d++) {
    offset[d] = from->weighted[d] / from->mass - body->at[d];
    square += offset[d] * offset[d];
  }
  if (from->body == NULL && 4 * from->half * from->half > 0.8 * square) {
    for (unsigned i = 0; i < 8; i++) attract(from->children[i], body, force);
    return;
  }
  for (unsigned d = 0; d < 3; d++) force[d] += offset[d] * from->mass / (square * sqrt(square));
}

int main(int argc, char** argv) {
  arguments_t given = parse_arguments(argc, argv, 25000, 1);
  random_t random = {1};
  body_t** bodies = must(malloc(given.size * sizeof(*bodies)));
  for (size_t i = 0; i < given.size; i++) {
    bodies[i] = must(calloc(1, sizeof(body_t)));
    bodies[i]->mass = 1.0 / (double)given.size;
    for (unsigned d = 0; d < 3; d++) {
      bodies[i]->at[d] = (double)random_below(&random, 1u << 30) / (1u << 30) - 0.5;
    }
  }
  double moved = 0;
  for (unsigned step = 0; step < STEPS; step++) {
    double half = 0.5, origin[3] = {0, 0, 0};
    for (size_t i = 0; i < given.size; i++) {
      for (unsigned d = 0; d < 3; d++) half = fmax(half, fabs(bodies[i]->at[d]));
    }
    node_t* root = node(origin, half);
    for (size_t i = 0; i < given.size; i++) insert(root, bodies[i], 0);
    if (fabs(root->mass - 1) > 1e-9) fail("mass is lost");
    for (size_t i = 0; i < given.size; i++) {
      double force[3] = {0, 0, 0};
      attract(root, bodies[i], force);
      for (unsigned d = 0; d < 3; d++) bodies[i]->speed[d] += force[d] * 1e-3;
    }
    for (size_t i = 0; i < given.size; i++) {
      for (unsigned d = 0; d < 3; d++) {
        bodies[i]->at[d] += bodies[i]->speed[d] * 1e-3;
        moved += fabs(bodies[i]->speed[d]);
      }
    }
    drop(root);
  }
  for (size_t i = 0; i < given.size; i++) free(bodies[i]);
  free(bodies);
  return finish((uint64_t)(moved * 1e6));
}
