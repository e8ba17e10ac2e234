/* Runs a program as a child process and catches what it writes. */
#ifndef MI_TEST_CHILD_H
#define MI_TEST_CHILD_H

#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { CHILD_TEXT = 16384 };

typedef struct child_s {
  int status;           /* the exit code, or minus the signal */
  char out[CHILD_TEXT]; /* what it wrote to stdout and stderr, cut off, ending with 0 */
  char err[CHILD_TEXT];
} child_t;

/* Reads the file from its start into `text`, and closes it. */
static inline void child_read_back(FILE* f, char* text) {
  rewind(f);
  text[fread(text, 1, CHILD_TEXT - 1, f)] = 0;
  fclose(f);
}

/* Runs the program with one argument (NULL: none) and waits for it, 60 seconds at most.
   `environment` holds "NAME=value" strings to add to ours, up to a NULL; it may be NULL. */
static inline void child_run(child_t* child, const char* program, const char* argument,
                             const char* const* environment) {
  FILE* out = tmpfile();
  FILE* err = tmpfile();
  CHECK(out != NULL && err != NULL);
  fflush(NULL);
  pid_t pid = fork();
  CHECK_CMP(pid, >=, 0);
  if (pid == 0) {
    dup2(fileno(out), STDOUT_FILENO);
    dup2(fileno(err), STDERR_FILENO);
    for (; environment != NULL && *environment != NULL; environment++) putenv((char*)*environment);
    alarm(60);
    execl(program, program, argument, (char*)NULL);
    _exit(127);
  }
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  child->status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  child_read_back(out, child->out);
  child_read_back(err, child->err);
}

#endif
