#include "options/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"

/* Function and argument are two words: if one thread registers while another reports, the previous
   function may get the new argument. */
static _Atomic(mi_output_fun*) output_fun;
static _Atomic(void*) output_arg;
static _Atomic(mi_error_fun*) error_fun;
static _Atomic(void*) error_arg;
static _Atomic(long) errors_seen;
static _Atomic(long) warnings_seen;

void mi_register_output(mi_output_fun* out, void* arg) mi_attr_noexcept {
  atomic_store(&output_arg, arg);
  atomic_store(&output_fun, out);
}

void mi_register_error(mi_error_fun* fun, void* arg) mi_attr_noexcept {
  atomic_store(&error_arg, arg);
  atomic_store(&error_fun, fun);
}

/* Whether a callback of the program is running in this thread. What it causes is not reported to it
   again. */
static _Thread_local bool in_callback;

bool mi_in_report_callback(void) { return in_callback; }

static void emit(mi_output_fun* out, void* arg, const char* text) {
  if (out == NULL) {
    out = atomic_load(&output_fun);
    arg = atomic_load(&output_arg);
  }
  if (out != NULL && !in_callback) {
    in_callback = true;
    out(text, arg);
    in_callback = false;
  } else {
    mi_os_write_stderr(text, strlen(text));
  }
}

size_t mi_text_cut(const char* text, size_t most) {
  size_t length = most;
  while (length > 0 && most - length < 3 && (text[length] & 0xC0) == 0x80) length--;
  return length;
}

/* Ends a line that does not fit with "…". */
static mi_cold void end_cut_line(char* text, size_t size) {
  static const char end[] = "…\n";
  memcpy(text + mi_text_cut(text, size - sizeof(end)), end, sizeof(end));
}

static void
emit_format(mi_output_fun* out, void* arg, const char* prefix, const char* format, va_list args) {
  int saved = errno;
  char text[512];
  size_t used = strlen(prefix);
  memcpy(text, prefix, used);
  int length = vsnprintf(text + used, sizeof(text) - used, format, args);
  if (length >= (int)(sizeof(text) - used)) end_cut_line(text, sizeof(text));
  emit(out, arg, text);
  errno = saved;
}

static bool under_limit(_Atomic(long)* seen, mi_option_t limit) {
  long most = mi_option_get(limit);
  return most < 0 || atomic_fetch_add_explicit(seen, 1, memory_order_relaxed) < most;
}

void mi_print_to(mi_output_fun* out, void* arg, const char* format, ...) {
  va_list args;
  va_start(args, format);
  emit_format(out, arg, "", format, args);
  va_end(args);
}

void mi_message(const char* format, ...) {
  va_list args;
  va_start(args, format);
  emit_format(NULL, NULL, "miheap: ", format, args);
  va_end(args);
}

void mi_warning(const char* format, ...) {
  if (!mi_option_is_enabled(mi_option_show_errors) ||
      !under_limit(&warnings_seen, mi_option_max_warnings)) {
    return;
  }
  va_list args;
  va_start(args, format);
  emit_format(NULL, NULL, "miheap: warning: ", format, args);
  va_end(args);
}

static void call_error_fun(int err) {
  mi_error_fun* fun = atomic_load(&error_fun);
  if (fun == NULL || in_callback) return;
  int saved = errno;
  in_callback = true;
  fun(err, atomic_load(&error_arg));
  in_callback = false;
  errno = saved;
}

static void report_error(int err, const char* format, va_list args) {
  if (mi_option_is_enabled(mi_option_show_errors) &&
      under_limit(&errors_seen, mi_option_max_errors)) {
    emit_format(NULL, NULL, "miheap: error: ", format, args);
  }
  call_error_fun(err);
}

void mi_error(int err, const char* format, ...) {
  va_list args;
  va_start(args, format);
  report_error(err, format, args);
  va_end(args);
}

void mi_misuse(int err, const char* format, ...) {
  va_list args;
  va_start(args, format);
  report_error(err, format, args);
  va_end(args);
#if MI_CHECKED
  abort();
#endif
}

static _Thread_local struct {
  int err; /* 0: nothing waits */
  const char* what;
  const void* address;
} waiting;

void mi_misuse_later(int err, const char* what, const void* address) {
  if (waiting.err == 0) {
    waiting.err = err;
    waiting.what = what;
    waiting.address = address;
  }
  if (MI_CHECKED) mi_deliver_misuse();
}

void mi_deliver_misuse(void) {
  int err = waiting.err;
  if (mi_likely(err == 0)) return;
  waiting.err = 0;
  mi_misuse(err, "page %p: %s\n", waiting.address, waiting.what);
}

void mi_out_of_memory(int err, size_t count, size_t size) {
  if (mi_option_is_enabled(mi_option_verbose)) {
    mi_message("no memory for %zu * %zu bytes\n", count, size);
  }
  call_error_fun(err);
}

#if MI_DEBUG > 0
void mi_assertion_failed(const char* text, const char* file, int line) {
  mi_message("assertion failed: %s, %s:%d\n", text, file, line);
  abort();
}
#endif
