/* Memory that is reserved when the process begins. The functions by which a program reserves more
   are in miheap.h. */
#ifndef MI_RESERVE_H
#define MI_RESERVE_H

/* Does what the options reserve_huge_os_pages and reserve_os_memory say, once for each. Called when
   the options are first read, and again when the environment is certain to have been set up. */
void mi_reserve_as_options_say(void);

#endif
