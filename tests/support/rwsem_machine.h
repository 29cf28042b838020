// A small machine whose semaphore's steps have costs that no sum of others can be mistaken for.
#pragma once

#include <chrono>

#include "tests/support/small_machine.h"

namespace tests {

inline constexpr sim::Nanoseconds kOperation{3};
inline constexpr sim::Nanoseconds kWake{11};
inline constexpr sim::Nanoseconds kLatency{30};
inline constexpr sim::Nanoseconds kSwitch{7};

inline SmallMachineSpec rwsem_machine(models::RwsemFlavour flavour, bool stepwise = false) {
  SmallMachineSpec spec;
  spec.scheduler.wake_up_latency = kLatency;
  spec.scheduler.context_switch = kSwitch;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.rwsem_wake = kWake;
  spec.policy.rwsem = flavour;
  spec.stepwise = stepwise;
  return spec;
}

}  // namespace tests
