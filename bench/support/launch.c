/* launch [-l LIBRARY] [-n COUNT] [-r] COMMAND [ARGUMENT...]

   Runs a command with a library preloaded. Prints on file descriptor 3 what it used, as JSON: wall
   and CPU seconds and page faults of all COUNT runs together, and the peak resident memory of the
   largest process in KiB, as the system counted them. `launch` is linked statically: the system
   counts its memory as the child's until the child becomes the command, and so that is less than
   any command has itself.

     -l LIBRARY   preload this; without it nothing is preloaded
     -n COUNT     run the command so many times, one after another
     -r           also sample the command's resident memory, and print the last sample before it
                  ended, in KiB */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REPORT = 3, LOOK_MS = 20 };

static double seconds(struct timeval time) {
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Ends this program: a call of the system failed. */
static void stop(const char* what) {
  perror(what);
  exit(125);
}

/* Starts the command. Until then the child has this program's memory. */
static pid_t start(char** command) {
  pid_t child = vfork();
  if (child == -1) stop("vfork");
  if (child != 0) return child;
  execvp(command[0], command);
  _exit(127);
}

/* Resident pages of a running process; 0 once it has ended. */
static long resident_pages(pid_t process) {
  char path[64], text[128];
  long size, resident = 0;
  snprintf(path, sizeof(path), "/proc/%d/statm", (int)process);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file == -1) return 0;
  ssize_t length = read(file, text, sizeof(text) - 1);
  close(file);
  if (length <= 0) return 0;
  text[length] = '\0';
  return sscanf(text, "%ld %ld", &size, &resident) == 2 ? resident : 0;
}

/* Waits for the process and returns its status. *last, unless `last` is NULL, becomes the pages
   that were resident when it was last seen alive. */
static int wait_for(pid_t process, long* last) {
  int status;
  for (;;) {
    pid_t ended = waitpid(process, &status, last == NULL ? 0 : WNOHANG);
    if (ended == process) return status;
    if (ended == -1 && errno != EINTR) stop("waitpid");
    if (last == NULL) continue;
    long pages = resident_pages(process);
    if (pages != 0) *last = pages;
    nanosleep(&(struct timespec){0, LOOK_MS * 1000000L}, NULL);
  }
}

int main(int argc, char** argv) {
  const char* library = NULL;
  int option, watch = 0;
  long count = 1, resident = 0;
  while ((option = getopt(argc, argv, "+l:n:r")) != -1) {
    if (option == 'l') library = optarg;
    if (option == 'n') count = atol(optarg);
    if (option == 'r') watch = 1;
    if (option == '?') return 125;
  }
  if (optind == argc) {
    fputs("usage: launch [-l LIBRARY] [-n COUNT] [-r] COMMAND [ARGUMENT...]\n", stderr);
    return 125;
  }
  /* For the commands: this program is static. */
  if (library != NULL && setenv("LD_PRELOAD", library, 1) != 0) stop("setenv");
  fcntl(REPORT, F_SETFD, FD_CLOEXEC);
  double started = now();
  for (long i = 0; i < count; i++) {
    int status = wait_for(start(argv + optind), watch ? &resident : NULL);
    if (WIFSIGNALED(status)) {
      fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
      return 128 + WTERMSIG(status);
    }
    if (WEXITSTATUS(status) != 0) return WEXITSTATUS(status);
  }
  double wall = now() - started;
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  dprintf(REPORT,
          "{\"wall\":%.6f,\"cpu\":%.6f,\"peak\":%ld,\"faults\":%ld,\"major\":%ld,\"end\":%ld}\n",
          wall, seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss, used.ru_minflt,
          used.ru_majflt, resident * (sysconf(_SC_PAGESIZE) / 1024));
  return 0;
}
