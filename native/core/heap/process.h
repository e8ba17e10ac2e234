/* The process: its start and end, and the end of the library in it. */
#ifndef MI_PROCESS_H
#define MI_PROCESS_H

/* Prepares the process. The first thread that allocates does so; other threads wait until it is
   done. */
void mi_process_attach(void);

/* Does what the options destroy_on_exit and show_stats say. Only the first call has an effect. */
void mi_process_finish(void);

/* The library that we are part of is being unloaded: gives all memory back but for blocks that are
   alive. Nothing of ours may be called afterwards. */
void mi_process_unload(void);

#endif
