#include "experiments/report/figures/captions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>

#include "experiments/base/statistics.h"

namespace experiments {

ClassAndCall best_known(const ReportData& data, const Focus& focus) {
  ClassAndCall best{focus.headline.class_name, focus.headline.phase};
  double most = -1;
  for (const Measure& measure : focus.measures) {
    const ClassAndCall where{measure.class_name, measure.phase.substr(0, measure.phase.find('.'))};
    double fewest = std::numeric_limits<double>::max();
    for (const std::string& policy : focused_policies(focus)) {
      const PolicyOutcomes* const outcomes = data.results.points[focus.point].policy(policy);
      const std::vector<double> counts =
          outcomes == nullptr ? std::vector<double>{} : outcomes->values({"count", where.first, where.second, ""});
      fewest = std::min(fewest, counts.empty() ? 0 : mean_of(counts));
    }
    // More by far, not just more: what the headline is about comes first.
    if (fewest > 2 * most) {
      most = fewest;
      best = where;
    }
  }
  return best;
}

std::vector<std::string> focused_policies(const Focus& focus) {
  return focus.after.empty() ? std::vector{focus.before} : std::vector{focus.before, focus.after};
}

std::string words(const ClassAndCall& where) {
  return where.second == "total" ? fmt::format("{} requests", where.first)
                                 : fmt::format("{} requests due during {}", where.first, where.second);
}

std::string compared(const ReportData& data, std::size_t point, const Focus& focus, const Measure& measure) {
  std::string text = html_text(measure_text(measure)) + " is ";
  for (const std::string& policy : focused_policies(focus)) {
    if (policy != focus.before) text += ", and ";
    text += fmt::format("{} under {}", mean_html(data, point, policy, measure), html_text(policy));
  }
  return text;
}

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] != '<') text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string at_focus(const ReportData& data, const Focus& focus) {
  if (data.results.points.size() < 2) return {};
  return " at " + html_text(title_of(data.results, data.results.points[focus.point]));
}

}  // namespace experiments
