#pragma once

#include <string>
#include <vector>

namespace miheap {

// Keeps this module in the process for good. Node unloads an addon when the last worker that loaded
// it ends, while destructors of other threads still point into it.
void PinModule();

// The statistics of the miheap whose malloc the program itself runs on, if it is preloaded, as
// mi_stats_get_json writes them. Empty where there is none. Another library may have functions of
// these names, so the text says whose it is.
std::string PreloadedStats();

// Replaces the process by `file`, looked up in PATH. Returns only on failure, with an errno value.
int Execute(const std::string& file, const std::vector<std::string>& arguments,
            const std::vector<std::string>& environment);

} // namespace miheap
