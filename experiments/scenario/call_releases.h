// What threads can ask of a kernel only since some release.
#pragma once

#include <optional>
#include <string>

#include "models/spec/policy.h"
#include "models/spec/threads.h"

namespace experiments {

/// A system call, or an advice or a file that is part of one.
struct DatedCall {
  std::string name;  ///< as the kernel spells it
  models::KernelVersion since;
};

/// The first of what a thread does that this kernel does not have yet; nothing where it has all. Calls that are older
/// than the oldest kernel with a name (2.6.27) are in all of them.
[[nodiscard]] std::optional<DatedCall> call_after(const models::KernelVersion& kernel,
                                                  const models::ThreadSpec& thread);

}  // namespace experiments
