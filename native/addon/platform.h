#pragma once

#include <string>
#include <vector>

namespace miheap {

// What mi_stats_get_json of a preloaded miheap, the program's own malloc, writes. Empty if none is
// preloaded. Another library may have functions of these names; the text says whose it is.
std::string PreloadedStats();

// Replaces the process with `file`, looked up in PATH. Returns an errno value, and only on failure.
int Execute(const std::string& file, const std::vector<std::string>& arguments,
            const std::vector<std::string>& environment);

} // namespace miheap
