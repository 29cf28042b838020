// Random lengths of time: what a think time, an inter-arrival time or a cost is drawn from.
#pragma once

#include <concepts>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "sim/time.h"

namespace sim {

class Stream;

/// Always `value` (>= 0).
struct Constant {
  Nanoseconds value;
  bool operator==(const Constant&) const = default;
};

/// Whole nanoseconds from `low` to `high`, both included and equally likely. 0 <= low <= high.
struct Uniform {
  Nanoseconds low;
  Nanoseconds high;
  bool operator==(const Uniform&) const = default;
};

/// Exponential with the given mean (> 0), rounded to whole nanoseconds.
struct Exponential {
  Nanoseconds mean;
  bool operator==(const Exponential&) const = default;
};

/// Lognormal given by what a measurement reports: its median and its 99th percentile. 0 < median <= p99.
/// sigma = ln(p99 / median) / 2.3263 (the 99th percentile of the standard normal distribution).
struct Lognormal {
  static constexpr double kNormalP99 = 2.3263478740408408;  ///< of the standard normal distribution
  Nanoseconds median;
  Nanoseconds p99;
  bool operator==(const Lognormal&) const = default;
};

/// One of the given samples, each equally likely. Not empty; each >= 0.
struct Empirical {
  std::vector<Nanoseconds> samples;
  bool operator==(const Empirical&) const = default;
};

/// A distribution of lengths of time.
///
/// Samples are whole nanoseconds. The same stream gives the same samples on every IEEE 754 machine whose C library
/// rounds exp() and log() alike; they enter Lognormal, and Exponential in the rare rejections of its ziggurat.
class Distribution {
 public:
  using Kind = std::variant<Constant, Uniform, Exponential, Lognormal, Empirical>;

  Distribution() : Distribution(Constant{Nanoseconds{0}}) {}
  // NOLINTNEXTLINE(google-explicit-constructor): a kind is a distribution
  template <typename K>
  requires std::constructible_from<Kind, K> Distribution(K kind) : kind_(std::move(kind)) {}

  /// One draw. A constant leaves the stream alone.
  [[nodiscard]] Nanoseconds sample(Stream& stream) const {
    const auto* const always = std::get_if<Constant>(&kind_);
    return always != nullptr ? always->value : draw(stream);
  }
  /// The value, if it is always the same.
  [[nodiscard]] std::optional<Nanoseconds> constant() const {
    const auto* const always = std::get_if<Constant>(&kind_);
    return always != nullptr ? std::optional(always->value) : std::nullopt;
  }
  /// The expected value in nanoseconds.
  [[nodiscard]] double mean() const;
  /// The least value a draw can have.
  [[nodiscard]] Nanoseconds least() const;

  [[nodiscard]] const Kind& kind() const { return kind_; }
  bool operator==(const Distribution&) const = default;

 private:
  [[nodiscard]] Nanoseconds draw(Stream& stream) const;

  Kind kind_;
};

}  // namespace sim
