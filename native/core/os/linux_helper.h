/* The helper thread as the last one of its process, for the files of Linux alone. */
#ifndef MI_LINUX_HELPER_H
#define MI_LINUX_HELPER_H

#include "os/linux.h"

/* If the calling thread is the first one of its process: the address of a word that the system
   makes 0 when that thread ends. 0: it is another one, or the system does not say. */
uintptr_t mi_linux_first_thread_word(void);

/* For the helper: if no other thread of the process is alive, ends it as its first thread ended. */
void mi_linux_end_if_alone(uintptr_t first_thread_word);

#endif
