// Where the tests find what they test. A file of its own, so that a path is compiled into one object and not into all.
#pragma once

#include <filesystem>
#include <string>

namespace tests {

/// The folder of the tests in the source tree.
[[nodiscard]] std::filesystem::path source_tests();
/// The shipped configuration files in the source tree.
[[nodiscard]] std::filesystem::path source_configs();
/// The built mlocksim.
[[nodiscard]] std::string mlocksim_binary();

/// The built mlocksim-probe.
[[nodiscard]] std::string probe_binary();

/// Lets this process and its children find the shipped files of the source tree.
void use_source_configs();

}  // namespace tests
