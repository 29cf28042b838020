// Commands that people copy and paste.
#pragma once

#include <string>

namespace experiments {

/// `text` as one word of a shell's command line: quoted where it has to be.
[[nodiscard]] std::string shell_word(const std::string& text);

}  // namespace experiments
