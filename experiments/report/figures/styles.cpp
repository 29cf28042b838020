#include "experiments/report/figures/styles.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace experiments {

namespace {

// Okabe and Ito (2008), without black, which is the text's, and yellow, which is not seen on white.
constexpr std::array<const char*, 7> kColours{"#D55E00", "#0072B2", "#009E73", "#E69F00",
                                              "#CC79A7", "#56B4E9", "#7F7F7F"};
constexpr std::array<const char*, 4> kKnownPolicies{"write_held", "downgrade", "unlock_downgrade",
                                                    "unlock_if_contended"};
constexpr std::array<int, 7> kMarks{5, 7, 9, 11, 13, 4, 6};

}  // namespace

std::map<std::string, PolicyStyle> styles_of(const std::vector<std::string>& policies) {
  std::map<std::string, PolicyStyle> styles;
  std::vector<std::size_t> free;
  for (std::size_t colour = 0; colour < kColours.size(); ++colour) {
    const bool known = colour < kKnownPolicies.size();
    const bool used = known && std::find(policies.begin(), policies.end(), kKnownPolicies[colour]) != policies.end();
    if (used) {
      styles[kKnownPolicies[colour]] = {kColours[colour], static_cast<int>(colour) + 1, kMarks[colour]};
    } else {
      free.push_back(colour);
    }
  }
  // Those that are nobody's first.
  std::stable_partition(free.begin(), free.end(), [](std::size_t colour) { return colour >= kKnownPolicies.size(); });
  std::size_t next = 0;
  for (const std::string& policy : policies) {
    if (styles.contains(policy)) continue;
    const std::size_t colour = free.empty() ? next % kColours.size() : free[next % free.size()];
    styles[policy] = {kColours[colour], static_cast<int>(colour + next / kColours.size()) % 5 + 1, kMarks[colour]};
    ++next;
  }
  return styles;
}

std::string line_colour(const PolicyStyle& style) { return fmt::format("linecolor rgb '{}'", style.colour); }

}  // namespace experiments
