#include "tools/probe/readings.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <nlohmann/json.hpp>

namespace probe {

double percentile(std::vector<double> samples, double share) {
  assert(!samples.empty());
  const double position = std::ceil(share * static_cast<double>(samples.size())) - 1;
  const auto at = samples.begin() + static_cast<std::ptrdiff_t>(std::max(0.0, position));
  std::nth_element(samples.begin(), at, samples.end());
  return *at;
}

double Readings::median(const std::string& quantity) const { return percentile(samples_.at(quantity), 0.5); }

nlohmann::ordered_json Readings::quantities() const {
  constexpr std::size_t kEnoughForP99 = 1000;
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, samples] : samples_) {
    nlohmann::ordered_json& one = json[name];
    one["median"] = percentile(samples, 0.5);
    one["p10"] = percentile(samples, 0.1);
    one["p90"] = percentile(samples, 0.9);
    if (samples.size() >= kEnoughForP99) one["p99"] = percentile(samples, 0.99);
    for (int tenth = 0; tenth < 10; ++tenth) one["tenths"].push_back(percentile(samples, (tenth + 0.5) / 10));
    one["n"] = samples.size();
  }
  return json;
}

nlohmann::ordered_json Readings::not_measured() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, why] : reasons_) {
    if (!has(name)) json[name] = why;
  }
  return json;
}

}  // namespace probe
