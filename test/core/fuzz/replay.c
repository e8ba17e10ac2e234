/* Runs the fuzz target on files, and on every file in a folder, for compilers and tools that have no
   libFuzzer. */
#include <dirent.h>

#include "check.h"
#include "fuzz/operations.h"

enum { LONGEST = 1 << 16 };

static int replayed;

static void replay_file(const char* path) {
  static uint8_t data[LONGEST];
  FILE* f = fopen(path, "rb");
  CHECK(f != NULL);
  size_t size = fread(data, 1, sizeof(data), f);
  fclose(f);
  fprintf(stderr, "%s\n", path); /* the last line tells which one failed */
  LLVMFuzzerTestOneInput(data, size);
  replayed++;
}

static void replay(const char* path) {
  DIR* folder = opendir(path);
  if (folder == NULL) {
    replay_file(path);
    return;
  }
  for (struct dirent* entry; (entry = readdir(folder)) != NULL;) {
    char name[1024];
    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
    replay_file(name);
  }
  closedir(folder);
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) replay(argv[i]);
  printf("%d inputs\n", replayed);
  CHECK_CMP(replayed, >, 0);
  return 0;
}
