/* All test programs of a variant linked into one, which runs the program by whose name it is
   called. CMake renames the `main` of each, and lists the names in the file PROGRAMS. */
#include <stdio.h>
#include <string.h>

/* Some programs take no arguments. They are called with them all the same, as any main is. */
#define PROGRAM(name, function) int function(int argc, char** argv);
#include PROGRAMS
#undef PROGRAM

typedef struct program_s {
  const char* name;
  int (*run)(int argc, char** argv);
} program_t;

#define PROGRAM(name, function) {name, function},
static const program_t programs[] = {
#include PROGRAMS
};

int main(int argc, char** argv) {
  const char* slash = strrchr(argv[0], '/');
  const char* name = slash == NULL ? argv[0] : slash + 1;
  for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
    if (strcmp(programs[i].name, name) == 0) return programs[i].run(argc, argv);
  }
  fprintf(stderr, "%s is none of the %zu programs in here\n", name,
          sizeof(programs) / sizeof(programs[0]));
  return 2;
}
