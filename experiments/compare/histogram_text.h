// A histogram of lengths of time in a word, or a dash where it is empty.
#pragma once

#include <chrono>
#include <string>

#include "experiments/base/quantity.h"
#include "sim/histogram.h"

namespace experiments {

[[nodiscard]] inline std::string mean_text(const sim::Histogram& histogram) {
  return histogram.empty() ? "-" : human(std::chrono::duration<double, std::nano>(histogram.mean()));
}

[[nodiscard]] inline std::string max_text(const sim::Histogram& histogram) {
  return histogram.empty() ? "-" : human(histogram.max());
}

}  // namespace experiments
