// What the shells need to complete our command line: a few lines each, which ask the program (completion.h).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace experiments {

struct ShellScript {
  std::string file;  ///< below `share`
  std::string text;
};

/// Of bash, zsh and fish. `share`: where they are going to be, as zsh has another folder for what packages bring.
[[nodiscard]] std::vector<ShellScript> shell_scripts(const std::filesystem::path& share);

}  // namespace experiments
