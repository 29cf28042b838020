// How mlock and munlock hold mmap_lock, where the kernel can be told: one that tools/lab/patch-mlock has changed.
#pragma once

#include <optional>

#include "experiments/host/workload.h"

namespace probe {

/// Tells the kernel (/sys/module/mlock/parameters); without `paths`, to do as it always does. Throws BadInput where it
/// cannot be told what is asked.
void choose_lock_paths(const std::optional<experiments::LockPaths>& paths);

}  // namespace probe
