// Which commit the program was built from.
#pragma once

#include <string_view>

namespace experiments {

/// With `-dirty` behind it where something had been changed besides; empty: not known. Of the program `mlocksim` only:
/// tests need not be linked anew for each commit.
[[nodiscard]] std::string_view program_commit();

}  // namespace experiments
