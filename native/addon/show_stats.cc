#include "show_stats.h"

#include <cstdio>
#include <cstdlib>

#include <miheap.h>

namespace miheap {

namespace {

void Print() {
  mi_option_disable(mi_option_show_stats); // the core would print the table again, without a name
  std::fputs("miheap in Node's addon:\n", stderr);
  mi_stats_print_out(nullptr, nullptr);
}

} // namespace

void NameStatsTable() {
  static const bool named = mi_option_is_enabled(mi_option_show_stats) && std::atexit(Print) == 0;
  (void)named;
}

} // namespace miheap
