// Versions of kernels as people write them: 6.4, linux-6.4, v6.12.3, or what `uname -r` prints.
#pragma once

#include <optional>
#include <string>

#include "experiments/base/quantity.h"
#include "models/spec/policy.h"

namespace experiments {

/// `6.4`, `2.6.38`.
[[nodiscard]] std::string to_text(const models::KernelVersion& kernel);

/// `6.4` or `2.6.38`, and nothing besides.
[[nodiscard]] Expected<models::KernelVersion> parse_kernel(const std::string& text);

/// The release that a version belongs to: 5.15.0 and 5.15.173 are 5.15, but 2.6.32 is 2.6.32.
[[nodiscard]] models::KernelVersion release_of(const models::KernelVersion& kernel);

/// A kernel as somebody names it.
struct NamedKernel {
  models::KernelVersion release;
  std::string rest{};  ///< what follows the version: `-0-18-amd64`, `.el9_4.x86_64`; empty for a bare version
};

/// The release in `5.4`, `linux-5.4`, `v5.4.17`, `5.4.0-150-generic`, `4.18.0-513.el8.x86_64`; nothing for other texts.
[[nodiscard]] std::optional<NamedKernel> parse_uname(const std::string& text);

}  // namespace experiments
