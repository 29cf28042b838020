#include "experiments/host/trace/traced_kernel.h"

#include <algorithm>
#include <array>

namespace experiments {

namespace {

struct KnownOffset {
  std::int64_t offset;
  const char* kernel;
};

// Read off traces of Debian's 6.1.176 and 6.12.117 and of a 6.18.44. [m]
constexpr std::array<KnownOffset, 3> kKnownOffsets{{{0x70, "linux-6.1"}, {0xa8, "linux-6.12"}, {0xb8, "linux-6.18"}}};

}  // namespace

std::optional<std::string> kernel_of_offset(std::int64_t offset) {
  const auto known = std::find_if(kKnownOffsets.begin(), kKnownOffsets.end(),
                                  [&](const KnownOffset& each) { return each.offset == offset; });
  return known == kKnownOffsets.end() ? std::nullopt : std::optional<std::string>(known->kernel);
}

}  // namespace experiments
