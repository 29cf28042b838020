// What `list kernels` prints: which release changed what, where that was read, and what distributions have of it.
#pragma once

#include <cstddef>
#include <string>

#include "experiments/scenario/kernel_table.h"

namespace experiments {

/// Lines of at most `width` columns, where words allow.
[[nodiscard]] std::string kernel_list(const KernelTable& table, std::size_t width);

}  // namespace experiments
