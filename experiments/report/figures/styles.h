// How policies are drawn: one colour each in all figures of a report, with dashes and marks of its own besides.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace experiments {

/// How a policy is drawn.
struct PolicyStyle {
  std::string colour;  ///< `#rrggbb`
  int dashes = 1;      ///< gnuplot's numbers
  int mark = 7;
};

/// Those of all policies. The shipped policies of the patch's question have the same in every report.
[[nodiscard]] std::map<std::string, PolicyStyle> styles_of(const std::vector<std::string>& policies);

/// `linecolor rgb '#0072B2'`
[[nodiscard]] std::string line_colour(const PolicyStyle& style);

}  // namespace experiments
