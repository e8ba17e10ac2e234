/* What miheap tells people: one line a fact, on stderr or to the output that the program
   registered. A line that is too long is cut, and ends with "…". Nothing here allocates, any thread
   may call these functions at any time, and errno is left alone. */
#ifndef MI_REPORT_H
#define MI_REPORT_H

#include "types.h"

#define MI_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* A line without a prefix, to `out` (NULL: the registered output, or stderr). */
void mi_print_to(mi_output_fun* out, void* arg, const char* format, ...) MI_PRINTF(3, 4);

/* Prints "miheap: …". */
void mi_message(const char* format, ...) MI_PRINTF(1, 2);

/* Prints "miheap: warning: …" if `show_errors` is set, at most max_warnings times. */
void mi_warning(const char* format, ...) MI_PRINTF(1, 2);

/* Prints "miheap: error: …" if `show_errors` is set, at most max_errors times; then calls the
   function of mi_register_error with `err`, unless a callback is already running in this thread. */
void mi_error(int err, const char* format, ...) MI_PRINTF(2, 3);

/* Like mi_error, for misuse that would corrupt memory. In hardened and debug builds it does not
   return. */
mi_cold void mi_misuse(int err, const char* format, ...) MI_PRINTF(2, 3);

/* Like mi_misuse, for code in the middle of a list that a callback would change, since it may
   allocate and free. The report waits for this thread's next mi_deliver_misuse; only the first is
   kept. `what` is a constant, `address` that of a page. Hardened and debug builds report, and stop,
   at once. */
mi_cold void mi_misuse_later(int err, const char* what, const void* address);
/* Makes the report of mi_misuse_later that waits in this thread, if there is one. */
void mi_deliver_misuse(void);
/* Whether an output or error function of the program is running in this thread. */
mi_cold bool mi_in_report_callback(void);

/* Like mi_error, but prints only if `verbose` is set: running out of memory is no misuse, and
   programs that handle it expect nothing on stderr. */
mi_cold void mi_out_of_memory(int err, size_t count, size_t size);

/* The length at which to cut a longer text: `most` bytes, or less if that would split a UTF-8
   character. */
mi_cold size_t mi_text_cut(const char* text, size_t most);

/* Assertions of debug builds. */
#if MI_DEBUG > 0
_Noreturn void mi_assertion_failed(const char* text, const char* file, int line);
#define mi_assert(x) (mi_likely(x) ? (void)0 : mi_assertion_failed(#x, __FILE__, __LINE__))
#else
#define mi_assert(x) ((void)0)
#endif
#if MI_DEBUG > 1
#define mi_assert_expensive(x) mi_assert(x)
#else
#define mi_assert_expensive(x) ((void)0)
#endif

#endif
