#include "experiments/base/change.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "experiments/base/judgement.h"
#include "experiments/base/quantity.h"

namespace experiments {

Change change_between(double before, double after, const std::optional<Interval>& difference) {
  if (difference && !shows_difference(*difference)) return Change::none;
  const double least = difference ? judgement::kChangeThatMatters : judgement::kPlainChange;
  if (before > least * after) return Change::shorter;
  return after > least * before ? Change::longer : Change::none;
}

std::string with_commas(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (auto place = static_cast<std::ptrdiff_t>(digits.size()) - 3; place > 0; place -= 3) {
    digits.insert(digits.begin() + place, ',');
  }
  return digits;
}

std::string spell_factor(double factor) {
  if (factor < 999.5) return fmt::format("{:.3g}", factor);
  double step = 1000;
  while (factor / step >= 1000) step *= 10;
  return with_commas(static_cast<std::uint64_t>(std::round(factor / step) * step));
}

std::string factor_text(double before, double after) {
  if (before == after) return "the same";
  if (before == 0 || after == 0) return before > after ? "shorter" : "longer";
  const double larger = std::max(before / after, after / before);
  if (larger < 1.005) return "the same";
  return fmt::format("{} times {}", spell_factor(larger), before > after ? "shorter" : "longer");
}

std::string difference_text(const std::optional<Interval>& difference) {
  if (!difference) return "";
  using Time = std::chrono::duration<double, std::nano>;
  return fmt::format("; difference {} [{}, {}]{}", human(Time(difference->mean)), human(Time(difference->low)),
                     human(Time(difference->high)), shows_difference(*difference) ? "" : ", none shown");
}

}  // namespace experiments
