/* What deepbind_plugin.c opens. */
int neighbour = 1;
