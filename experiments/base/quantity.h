// Quantities as people write them (`250ns`, `4GiB`, `exponential 50us`) and as tables show them (`1.37 us`).
//
// Reading is exact: what is not a whole number of nanoseconds or bytes is refused, never rounded. So is a number
// without a unit, and a decimal unit of memory: whether 4GB are 4 or 3.7 GiB is not for us to guess.
#pragma once

#include <array>
#include <cassert>
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "models/spec/page.h"
#include "sim/distribution.h"
#include "sim/time.h"

namespace experiments {

/// Why something was refused: what was expected, what was found, and the nearest valid spelling.
struct Refusal {
  std::string message;
};

/// A value, or why there is none.
template <typename T>
class Expected {
 public:
  // NOLINTBEGIN(google-explicit-constructor): `return value;` and `return Refusal{...};` are the point
  Expected(T value) : outcome_(std::move(value)) {}
  Expected(Refusal refusal) : outcome_(std::move(refusal)) {}
  // NOLINTEND(google-explicit-constructor)

  explicit operator bool() const { return std::holds_alternative<T>(outcome_); }
  /// Only if there is a value.
  const T& operator*() const {
    assert(*this);
    return *std::get_if<T>(&outcome_);
  }
  const T* operator->() const { return &**this; }
  /// Only if there is none.
  [[nodiscard]] const std::string& message() const {
    assert(!*this);
    return std::get_if<Refusal>(&outcome_)->message;
  }

 private:
  std::variant<T, Refusal> outcome_;
};

/// The longest length of time that an input may name: 30 days. sim::to_seconds is exact that far.
inline constexpr sim::Nanoseconds kLongestDuration = std::chrono::hours(24 * 30);

/// The largest size that an input may name: 1024 TiB. Sums of sizes then stay far from overflow.
inline constexpr models::Bytes kLargestSize{std::int64_t{1} << 50};

// What each parser expects, for messages where there is nothing to parse.
inline constexpr std::string_view kDurationExpected = "a duration such as 250ns, 1.5us, 10ms or 3s";
inline constexpr std::string_view kSizeExpected = "a size such as 4GiB or 512MiB";
inline constexpr std::string_view kByteRateExpected = "a rate such as 400MiB/s";
inline constexpr std::string_view kDistributionExpected =
    "a distribution such as 1ms, constant 1ms, uniform 10us 20us, exponential 50us, "
    "lognormal median 1us p99 5us or empirical FILE";

/// A number and ns, us (or µs), ms or s, without a space. Whole nanoseconds, 0 .. kLongestDuration.
[[nodiscard]] Expected<sim::Nanoseconds> parse_duration(std::string_view text);

/// A number and B, KiB, MiB, GiB or TiB, without a space. Whole bytes, 0 .. kLargestSize.
[[nodiscard]] Expected<models::Bytes> parse_size(std::string_view text);

/// A size and `/s`: bytes in a second.
[[nodiscard]] Expected<models::Bytes> parse_byte_rate(std::string_view text);

/// The forms named in kDistributionExpected; the preconditions of sim/distribution.h are checked.
/// An empirical distribution's file has one duration a line; `#` starts a comment, empty lines are skipped.
/// `folder`: where a relative FILE is looked for; empty: the working directory.
[[nodiscard]] Expected<sim::Distribution> parse_distribution(std::string_view text,
                                                             const std::filesystem::path& folder = {});

/// The shortest exact spelling that parse_duration reads: `1500ns`, `2ms`.
[[nodiscard]] std::string spell(sim::Nanoseconds duration);
/// The shortest exact spelling that parse_size reads: `4KiB`.
[[nodiscard]] std::string spell(models::Bytes size);

/// A unit of time as tables and figures have it.
struct TimeUnit {
  std::string_view name;     ///< in ASCII
  std::string_view printed;  ///< with the sign for micro, for pages
  double nanoseconds;
};

/// From short to long, each a thousand times the one before it.
inline constexpr std::array<TimeUnit, 4> kTimeUnits{
    {{"ns", "ns", 1}, {"us", "\u00b5s", 1e3}, {"ms", "ms", 1e6}, {"s", "s", 1e9}}};

/// The longest unit of which `nanoseconds` are `least` or more; ns where there is none.
[[nodiscard]] const TimeUnit& time_unit_of(double nanoseconds, double least = 1);

/// For tables: three significant digits, `640 ns`, `1.37 us`, `45.1 ms`, `3.21 s`; beyond 999 s whole seconds.
/// The unit is chosen after rounding: 999.6 ns is `1.00 us`. Whole nanoseconds convert by themselves.
/// Differences may be negative.
[[nodiscard]] std::string human(std::chrono::duration<double, std::nano> time);

/// For tables: three significant digits without trailing zeros, `512 B`, `4 KiB`, `1.37 GiB`, `1023 KiB`.
[[nodiscard]] std::string human(models::Bytes bytes);

}  // namespace experiments
