// The program that measures a real machine (tools/probe): where it is, and what it says.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace experiments {

/// $MLOCKSIM_PROBE, else beside this program, else where the build puts it. Throws UsageError where there is none.
[[nodiscard]] std::filesystem::path find_probe();

/// Writes a copy that can be run on a machine that has nothing installed. Throws UsageError where it cannot be written.
void copy_probe(const std::filesystem::path& probe, const std::filesystem::path& file);

/// Runs the probe with these arguments and returns what it writes. `progress` is told how far it is, on the way.
///
/// Throws UsageError with the probe's own words where it refuses, and std::runtime_error where it fails, or where this
/// process is interrupted (SIGINT, SIGTERM, SIGHUP): then the probe has been ended first.
[[nodiscard]] std::string run_probe(const std::filesystem::path& probe, const std::vector<std::string>& arguments,
                                    const std::function<void(std::size_t done, std::size_t all)>& progress);

}  // namespace experiments
