#pragma once

namespace miheap {

// If MIHEAP_SHOW_STATS is set, has the core's table say at the end that it is the addon's. Under
// `miheap run --show-stats` the program's malloc prints one, too.
void NameStatsTable();

} // namespace miheap
