#pragma once

#include <string>
#include <vector>

namespace miheap {

// Keeps this module in the process for good. Node unloads an addon when the last worker that loaded
// it ends, while destructors of other threads still point into it.
void PinModule();

// Replaces the process by `file`, looked up in PATH. Returns only on failure, with an errno value.
int Execute(const std::string& file, const std::vector<std::string>& arguments,
            const std::vector<std::string>& environment);

} // namespace miheap
