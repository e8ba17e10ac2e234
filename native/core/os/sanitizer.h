/* Which sanitizer watches the process. gcc and clang tell in different ways; in other builds both
   are 0. */
#ifndef MI_OS_SANITIZER_H
#define MI_OS_SANITIZER_H

#ifdef __has_feature
#define MI_OS_HAS_FEATURE(feature) __has_feature(feature)
#else
#define MI_OS_HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_THREAD__) || MI_OS_HAS_FEATURE(thread_sanitizer)
#define MI_OS_TSAN 1
#else
#define MI_OS_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__) || MI_OS_HAS_FEATURE(address_sanitizer)
#define MI_OS_ASAN 1
#else
#define MI_OS_ASAN 0
#endif

#endif
