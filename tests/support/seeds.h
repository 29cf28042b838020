// How many random scenarios a test runs.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace tests {

/// 1 to `usual`; for a long run (tools/fuzz --scenarios) those that MLOCKSIM_SEEDS=FIRST..LAST names, both included.
inline std::vector<std::uint64_t> seeds(std::uint64_t usual) {
  std::uint64_t first = 1;
  std::uint64_t last = usual;
  if (const char* const wish = std::getenv("MLOCKSIM_SEEDS")) {
    const std::string_view range(wish);
    const char* const end = range.data() + range.size();
    const auto dots = std::from_chars(range.data(), end, first);
    const std::string_view rest(dots.ptr, end);
    if (!rest.starts_with("..") || std::from_chars(rest.data() + 2, end, last).ptr != end || last < first) {
      throw std::runtime_error("MLOCKSIM_SEEDS: expected FIRST..LAST");
    }
  }
  std::vector<std::uint64_t> all(last - first + 1);
  std::iota(all.begin(), all.end(), first);
  return all;
}

/// Whether these are the usual ones, which between them show all there is; others show what they show.
inline bool seeds_are_usual() { return std::getenv("MLOCKSIM_SEEDS") == nullptr; }

}  // namespace tests
