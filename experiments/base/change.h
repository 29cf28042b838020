// Whether a latency has changed, and how one says by how much.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "experiments/base/statistics.h"

namespace experiments {

enum class Change { shorter, none, longer };

/// What became of a latency. With the interval of the difference a change has to be shown, and to be at least 5 %,
/// large enough for anybody to care. One replication has no interval: then only a factor beyond 1.5 is called a change.
[[nodiscard]] Change change_between(double before, double after, const std::optional<Interval>& difference);

/// `1,234,567`.
[[nodiscard]] std::string with_commas(std::uint64_t number);

/// Three digits, with commas between thousands: `1.5`, `123`, `3,000`, `2,000,000`.
[[nodiscard]] std::string spell_factor(double factor);

/// `59,000 times shorter`, `1.2 times longer`, `the same`; `shorter` or `longer` where one of them is 0.
[[nodiscard]] std::string factor_text(double before, double after);

/// `; difference 1.2 ms [1.1 ms, 1.3 ms]` in nanoseconds, `, none shown` where it contains zero. Empty without one.
[[nodiscard]] std::string difference_text(const std::optional<Interval>& difference);

}  // namespace experiments
