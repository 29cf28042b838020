#include "experiments/run/trace/trace_windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace experiments {

namespace trace {

Windows::Windows(std::vector<TimeWindow> windows) {
  std::sort(windows.begin(), windows.end(), [](const auto& a, const auto& b) { return a.from < b.from; });
  for (const TimeWindow& window : windows) {
    if (merged_.empty() || merged_.back().to < window.from) {
      merged_.push_back(window);
    } else {
      merged_.back().to = std::max(merged_.back().to, window.to);
    }
  }
}

const TimeWindow* Windows::not_over_at(sim::Time at) const {
  const auto found = std::upper_bound(merged_.begin(), merged_.end(), at,
                                      [](sim::Time time, const TimeWindow& window) { return time < window.to; });
  return found == merged_.end() ? nullptr : &*found;
}

bool Windows::contain(sim::Time at) const {
  const TimeWindow* window = not_over_at(at);
  return window != nullptr && window->from <= at;
}

void Windows::end_at(sim::Time at) {
  std::erase_if(merged_, [&](const TimeWindow& window) { return window.from >= at; });
  for (TimeWindow& window : merged_) window.to = std::min(window.to, at);
}

}  // namespace trace

Expected<TimeWindow> parse_window(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Refusal{fmt::format("expected a window such as 1.2s..1.3s, found '{}'{}", text, why)};
  };
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return refuse("");
  const auto from = parse_duration(text.substr(0, dots));
  if (!from) return Refusal{from.message()};
  const auto to = parse_duration(text.substr(dots + 2));
  if (!to) return Refusal{to.message()};
  if (*from >= *to) return refuse(": it must end after it begins");
  return TimeWindow{sim::Time{*from}, sim::Time{*to}};
}

std::vector<TimeWindow> windows_around_worst(const models::Result& result, std::size_t count) {
  std::vector<models::WorstRequest> worst;
  for (const models::ClassResult& each : result.classes) {
    worst.insert(worst.end(), each.worst.begin(), each.worst.end());
  }
  std::stable_sort(worst.begin(), worst.end(), [](const auto& a, const auto& b) { return a.latency > b.latency; });
  worst.resize(std::min(count, worst.size()));
  std::vector<TimeWindow> windows;
  for (const models::WorstRequest& request : worst) {
    const sim::Nanoseconds margin = request.latency / 10 + sim::Nanoseconds{1};
    windows.push_back({std::max(sim::Time{}, request.due - margin), request.due + request.latency + margin});
  }
  return windows;
}

}  // namespace experiments
