// The measurements. Each is made several times, in random order with all others.
#pragma once

#include <string>
#include <vector>

#include "tools/probe/measuring.h"

namespace probe {

/// Measurements that are made together, as one makes what the next one needs.
struct Part {
  const char* name;
  void (*measure)(const Settings&, Readings&);
  /// What it measures: those of which there is no sample in the end are told with the reason why.
  std::vector<std::string> quantities;
};

/// Each page of a region: populate, lock, look at it by way of /proc, fork, unmap (page_parts.cpp).
[[nodiscard]] std::vector<Part> page_parts();
/// Each VMA, and calls whose cost does not depend on pages (call_parts.cpp).
[[nodiscard]] std::vector<Part> call_parts();
/// Wake-ups, timers, context switches, cache lines between CPUs (schedule_parts.cpp).
[[nodiscard]] std::vector<Part> schedule_parts();

/// Touches all of the memory once, and so has a hypervisor back it: what is measured afterwards is the kernel's work.
void touch_all_memory(const Settings& settings, Readings& readings);

}  // namespace probe
