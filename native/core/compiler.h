/* What miheap tells the compiler. */
#ifndef MI_COMPILER_H
#define MI_COMPILER_H

#if !defined(__GNUC__)
#error "miheap needs gcc or clang"
#endif
#define mi_likely(x) __builtin_expect(!!(x), 1)
#define mi_unlikely(x) __builtin_expect(!!(x), 0)
#define mi_noinline __attribute__((noinline))
#define mi_cold __attribute__((noinline, cold))
#define mi_inline static inline __attribute__((always_inline))
/* For the functions that programs call most: their code lies in one or two cache lines. Saves up to
   4 % of the time of programs that do little but allocate (bench/workloads/algebra.c). */
#define mi_hot __attribute__((aligned(64)))
#define mi_unreachable() __builtin_unreachable()
#define mi_prefetch(p) __builtin_prefetch(p, 1)
/* For variables of fast paths: the code finds them without the global offset table. */
#define mi_hidden __attribute__((visibility("hidden")))
/* For the functions that the library gives to programs and that miheap.h does not declare. */
#define mi_exported __attribute__((visibility("default")))

#endif
