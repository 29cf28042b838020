// What the probe has measured, by name: samples, and why there are none.
#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace probe {

/// Samples of quantities, each in nanoseconds for one of what its name says.
class Readings {
 public:
  void add(const std::string& quantity, double nanoseconds) { samples_[quantity].push_back(nanoseconds); }
  /// Says why a quantity cannot be measured here. The first reason counts.
  void cannot(const std::string& quantity, const std::string& why) { reasons_.emplace(quantity, why); }

  [[nodiscard]] bool has(const std::string& quantity) const { return samples_.count(quantity) > 0; }
  /// Precondition: there are samples.
  [[nodiscard]] double median(const std::string& quantity) const;

  /// `{NAME: {median, p10, p90, p99, tenths, n}}`; p99 only with ten samples beyond it; tenths are the middles of each
  /// tenth of the samples.
  [[nodiscard]] nlohmann::ordered_json quantities() const;
  /// `{NAME: WHY}` of those of which there is no sample.
  [[nodiscard]] nlohmann::ordered_json not_measured() const;

 private:
  std::map<std::string, std::vector<double>> samples_;
  std::map<std::string, std::string> reasons_;
};

/// The value that `share` (0 .. 1) of the samples are not above. Precondition: at least one.
[[nodiscard]] double percentile(std::vector<double> samples, double share);

}  // namespace probe
