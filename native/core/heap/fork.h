/* What a forked child sets right before it goes on. */
#ifndef MI_FORK_H
#define MI_FORK_H

/* The handler that fork calls in the child, where the thread that forked is the only one. The other
   threads of the parent are lost, wherever they stood: what they were doing to pages, segments and
   slots is completed; their heaps stay as they were for ever, and blocks can only be freed into
   them. Their magazines are emptied, for new threads to use. */
void mi_process_in_forked_child(void);

#endif
