// What the build knows of this mlocksim: its version, and where the files that come with it are.
#pragma once

#include <filesystem>
#include <string_view>

namespace experiments {

/// As meson.build says.
[[nodiscard]] std::string_view program_version();

/// The source tree that it was built from, with `configs` and `experiments/studies` in it. It may be gone by now.
[[nodiscard]] std::filesystem::path source_directory();

/// Where the shipped files are if the program has been installed, into whatever prefix: `../share/mlocksim` from where
/// it is. May not be there.
[[nodiscard]] std::filesystem::path data_beside_program();

/// Where `meson install` puts the shipped files, in a folder for each kind.
[[nodiscard]] std::filesystem::path data_directory();

}  // namespace experiments
