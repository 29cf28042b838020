// Runs a workload for real: a process for each of its processes, a thread for each of its threads.
//
// The children die with this process, and everything that they have mapped or locked with them.
#pragma once

#include <vector>

#include "experiments/host/real_result.h"

namespace probe {

/// One sitting on `cpus`. Throws BadInput where there is too little memory or a limit is too low, std::runtime_error
/// where a thread cannot have what it is to have: a nice value, a CPU.
[[nodiscard]] experiments::Sitting run_workload(const experiments::Workload& workload, const std::vector<int>& cpus);

}  // namespace probe
