// Which mlocksim this is.
#pragma once

#include <string_view>

namespace experiments {

/// As meson.build says.
[[nodiscard]] std::string_view program_version();

}  // namespace experiments
