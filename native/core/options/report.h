/* What miheap tells people: one line a fact, on stderr or to the registered output. Nothing here
   allocates, and any thread may call at any time. */
#ifndef MI_REPORT_H
#define MI_REPORT_H

#include "types.h"

#if defined(__GNUC__)
#define MI_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define MI_PRINTF(f, a)
#endif

/* A line that is too long is cut, and ends with "…". */

/* A line without prefix, to `out` (NULL: the registered output). */
void mi_print_to(mi_output_fun* out, void* arg, const char* format, ...) MI_PRINTF(3, 4);

/* "miheap: …" */
void mi_message(const char* format, ...) MI_PRINTF(1, 2);

/* "miheap: warning: …", at most max_warnings of them. */
void mi_warning(const char* format, ...) MI_PRINTF(1, 2);

/* "miheap: error: …", at most max_errors of them; then the callback of mi_register_error gets
   `err`. Leaves errno alone. */
void mi_error(int err, const char* format, ...) MI_PRINTF(2, 3);

/* As mi_error, for misuse that would corrupt memory. Hardened and debug builds do not return. */
mi_cold void mi_misuse(int err, const char* format, ...) MI_PRINTF(2, 3);

/* As mi_misuse, for code in the middle of a list that a callback, which may allocate and free,
   would change. The report waits for the next mi_deliver_misuse of this thread; of several, the
   first is kept. `what` is a constant, `address` that of a page. */
mi_cold void mi_misuse_later(int err, const char* what, const void* address);
void mi_deliver_misuse(void);
/* Whether an output or error function of the program is running in this thread. */
mi_cold bool mi_in_report_callback(void);

/* As mi_error, but prints only if `verbose` is set: running out of memory is no misuse, and
   programs that handle it expect nothing on stderr. */
mi_cold void mi_out_of_memory(int err, size_t count, size_t size);

/* Where a text may be cut so that at most `most` bytes are left, and no part of a UTF-8 character. */
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
