#include "experiments/base/quantity.h"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "experiments/base/diagnostics.h"

namespace experiments {

namespace {

// Products of a 64-bit number and a unit, exactly. The keyword is what -Wpedantic asks for.
__extension__ typedef unsigned __int128 Wide;

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// The first three spellings of micro are one unit: ASCII, U+00B5 (micro sign) and U+03BC (Greek mu).
constexpr std::array kDurationUnits = {Unit{"ns", 1},          Unit{"us", 1'000},     Unit{"\u00b5s", 1'000},
                                       Unit{"\u03bcs", 1'000}, Unit{"ms", 1'000'000}, Unit{"s", 1'000'000'000}};
constexpr std::array kSizeUnits = {Unit{"B", 1}, Unit{"KiB", std::int64_t{1} << 10}, Unit{"MiB", std::int64_t{1} << 20},
                                   Unit{"GiB", std::int64_t{1} << 30}, Unit{"TiB", std::int64_t{1} << 40}};

constexpr std::array kByteRateUnits = {Unit{"B/s", 1}, Unit{"KiB/s", std::int64_t{1} << 10},
                                       Unit{"MiB/s", std::int64_t{1} << 20}, Unit{"GiB/s", std::int64_t{1} << 30},
                                       Unit{"TiB/s", std::int64_t{1} << 40}};

/// A decimal number `digits` / 10^`decimals`, and the text that follows it.
struct Amount {
  std::uint64_t digits;
  unsigned decimals;
  std::string_view number;
  std::string_view unit;
};

constexpr unsigned kMostDecimals = 18;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Nothing when `text` does not start with a plain decimal number of at most 18 decimals and 64 bits.
std::optional<Amount> parse_amount(std::string_view text) {
  const auto digits_from = [&](std::size_t begin) {
    return static_cast<std::size_t>(
        std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(), is_digit) - text.begin());
  };
  const std::size_t whole_end = digits_from(0);
  if (whole_end == 0) return std::nullopt;
  std::string digits(text.substr(0, whole_end));
  std::size_t end = whole_end;
  std::string fraction;
  if (end < text.size() && text[end] == '.') {
    end = digits_from(whole_end + 1);
    fraction = text.substr(whole_end + 1, end - whole_end - 1);
    if (fraction.empty()) return std::nullopt;
    boost::algorithm::trim_right_if(fraction, [](char c) { return c == '0'; });
  }
  if (fraction.size() > kMostDecimals) return std::nullopt;
  digits += fraction;
  Amount amount{0, static_cast<unsigned>(fraction.size()), text.substr(0, end), text.substr(end)};
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), amount.digits);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return amount;
}

Wide power_of_ten(unsigned exponent) {
  Wide power = 1;
  for (unsigned each = 0; each < exponent; ++each) power *= 10;
  return power;
}

/// A kind of quantity: its units, its limit, and how to help with spellings of others.
struct QuantityKind {
  std::string_view expected;
  std::span<const Unit> units;
  std::string_view whole;  ///< what it must be a whole number of
  std::int64_t most;
  std::string (*spelled)(std::int64_t);
  /// The valid unit that a wrong one stands for, if that can be told.
  std::optional<std::string> (*meant)(std::string_view wrong);
};

std::vector<std::string> unit_names(std::span<const Unit> units) {
  std::vector<std::string> names;
  for (const Unit& unit : units) {
    if (static_cast<unsigned char>(unit.name.front()) < 0x80) names.emplace_back(unit.name);
  }
  return names;
}

Refusal refuse(const QuantityKind& kind, std::string_view found, const std::string& hint) {
  return {fmt::format("expected {}, found '{}'{}", kind.expected, found, hint)};
}

Refusal refuse_unit(const QuantityKind& kind, std::string_view found, const Amount& amount) {
  const std::string unit = boost::algorithm::trim_copy(std::string(amount.unit));
  if (unit.empty()) {
    return refuse(kind, found, fmt::format(" (the unit is missing: {})", fmt::join(unit_names(kind.units), ", ")));
  }
  const auto meant = kind.meant(unit);
  if (!meant) return refuse(kind, found, fmt::format(" (units: {})", fmt::join(unit_names(kind.units), ", ")));
  return refuse(kind, found, fmt::format(" (did you mean {}{}?)", amount.number, *meant));
}

Refusal refuse_text(const QuantityKind& kind, std::string_view found) {
  if (found.starts_with('-')) return refuse(kind, found, " (it must not be below zero)");
  return refuse(kind, found, "");
}

Refusal refuse_fraction(const QuantityKind& kind, std::string_view found, Wide numerator, Wide denominator) {
  const auto rounded = static_cast<std::int64_t>((numerator + denominator / 2) / denominator);
  return refuse(kind, found, fmt::format(" (not whole {}; did you mean {}?)", kind.whole, kind.spelled(rounded)));
}

Expected<std::int64_t> parse(const QuantityKind& kind, std::string_view text) {
  const auto amount = parse_amount(text);
  if (!amount) return refuse_text(kind, text);
  const auto* const unit = std::find_if(kind.units.data(), kind.units.data() + kind.units.size(),
                                        [&](const Unit& candidate) { return candidate.name == amount->unit; });
  if (unit == kind.units.data() + kind.units.size()) return refuse_unit(kind, text, *amount);
  const Wide numerator = Wide(amount->digits) * static_cast<std::uint64_t>(unit->factor);
  const Wide denominator = power_of_ten(amount->decimals);
  if (numerator > denominator * static_cast<std::uint64_t>(kind.most)) {
    return refuse(kind, text, fmt::format(" (at most {})", kind.spelled(kind.most)));
  }
  if (numerator % denominator != 0) return refuse_fraction(kind, text, numerator, denominator);
  return static_cast<std::int64_t>(numerator / denominator);
}

std::string spell_in(std::span<const Unit> units, std::int64_t value) {
  const Unit* best = units.data();
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0 && unit.factor > best->factor) best = &unit;
  }
  return fmt::format("{}{}", value / best->factor, best->name);
}

/// `sec`, `msecs`, `USEC`, `nanoseconds` ...: told by the first letter before a word for seconds.
std::optional<std::string> meant_duration_unit(std::string_view wrong) {
  std::string unit = boost::algorithm::to_lower_copy(std::string(wrong));
  for (const std::string_view suffix : {"econds", "econd", "ecs", "ec"}) {
    if (unit.ends_with(suffix) && unit.size() > suffix.size()) {
      unit.erase(unit.size() - suffix.size());
      break;
    }
  }
  for (const auto& [word, name] : {std::pair{"nanos", "ns"}, {"micros", "us"}, {"millis", "ms"}}) {
    if (unit == word) unit = name;
  }
  const auto names = unit_names(kDurationUnits);
  if (std::find(names.begin(), names.end(), unit) != names.end()) return unit;
  return std::nullopt;
}

/// `GB`, `G`, `gib`, `Gi` ...: told by the prefix.
std::optional<std::string> meant_size_unit(std::string_view wrong) {
  const std::string unit = boost::algorithm::to_lower_copy(std::string(wrong));
  for (const auto& [bytes, name] : {std::pair{"b", "B"}, {"byte", "B"}, {"bytes", "B"}}) {
    if (unit == bytes) return name;
  }
  const std::string_view rest = std::string_view(unit).substr(1);
  const bool prefixed = rest.empty() || rest == "b" || rest == "i" || rest == "ib";
  if (!prefixed) return std::nullopt;
  for (const Unit& candidate : std::span(kSizeUnits).subspan(1)) {
    if (boost::algorithm::to_lower_copy(std::string(candidate.name)).front() == unit.front()) {
      return std::string(candidate.name);
    }
  }
  return std::nullopt;
}

std::optional<std::string> meant_byte_rate_unit(std::string_view wrong) {
  for (const std::string_view suffix : {"/s", "ps", "/sec"}) {
    if (wrong.ends_with(suffix)) wrong.remove_suffix(suffix.size());
  }
  const auto unit = wrong.empty() ? std::nullopt : meant_size_unit(wrong);
  return unit ? std::optional(*unit + "/s") : std::nullopt;
}

constexpr QuantityKind kDuration = {kDurationExpected,
                                    kDurationUnits,
                                    "nanoseconds",
                                    kLongestDuration.count(),
                                    [](std::int64_t value) { return spell(sim::Nanoseconds{value}); },
                                    meant_duration_unit};
constexpr QuantityKind kSize = {kSizeExpected,
                                kSizeUnits,
                                "bytes",
                                kLargestSize.count(),
                                [](std::int64_t value) { return spell(models::Bytes{value}); },
                                meant_size_unit};
constexpr QuantityKind kByteRate = {kByteRateExpected,
                                    kByteRateUnits,
                                    "bytes in a second",
                                    kLargestSize.count(),
                                    [](std::int64_t value) { return spell_in(kByteRateUnits, value); },
                                    meant_byte_rate_unit};

using Words = std::vector<std::string>;

Refusal refuse_form(std::string_view form, std::string_view text) {
  return {fmt::format("expected {}, found '{}'", form, text)};
}

Expected<sim::Distribution> parse_constant(const Words& words, std::string_view text) {
  if (words.size() != 2) return refuse_form("`constant DURATION`, such as constant 1ms", text);
  const auto value = parse_duration(words[1]);
  if (!value) return Refusal{value.message()};
  return sim::Distribution(sim::Constant{*value});
}

Expected<sim::Distribution> parse_uniform(const Words& words, std::string_view text) {
  if (words.size() != 3) return refuse_form("`uniform LOW HIGH`, such as uniform 10us 20us", text);
  const auto low = parse_duration(words[1]);
  const auto high = parse_duration(words[2]);
  if (!low) return Refusal{low.message()};
  if (!high) return Refusal{high.message()};
  if (*low > *high) {
    return Refusal{fmt::format("expected the lower end first, found '{}' (did you mean uniform {} {}?)", text, words[2],
                               words[1])};
  }
  return sim::Distribution(sim::Uniform{*low, *high});
}

Expected<sim::Distribution> parse_exponential(const Words& words, std::string_view text) {
  if (words.size() != 2) return refuse_form("`exponential MEAN`, such as exponential 50us", text);
  const auto mean = parse_duration(words[1]);
  if (!mean) return Refusal{mean.message()};
  if (mean->count() == 0) return refuse_form("a mean above zero", text);
  return sim::Distribution(sim::Exponential{*mean});
}

/// Whether even the rarest draw of a 64-bit generator (8.3 standard deviations) is far from overflowing.
bool fits_the_clock(const sim::Lognormal& lognormal) {
  constexpr double kRarest = 8.3;
  const double ratio = static_cast<double>(lognormal.p99.count()) / static_cast<double>(lognormal.median.count());
  const double rarest =
      static_cast<double>(lognormal.median.count()) * std::pow(ratio, kRarest / sim::Lognormal::kNormalP99);
  return rarest < static_cast<double>(std::numeric_limits<std::int64_t>::max()) / 2;
}

Expected<sim::Distribution> parse_lognormal(const Words& words, std::string_view text) {
  if (words.size() != 5 || words[1] != "median" || words[3] != "p99") {
    return refuse_form("`lognormal median DURATION p99 DURATION`, such as lognormal median 1us p99 5us", text);
  }
  const auto median = parse_duration(words[2]);
  const auto p99 = parse_duration(words[4]);
  if (!median) return Refusal{median.message()};
  if (!p99) return Refusal{p99.message()};
  if (median->count() == 0) return refuse_form("a median above zero", text);
  if (*p99 < *median) return refuse_form("a p99 that is not below the median", text);
  const sim::Lognormal lognormal{*median, *p99};
  if (!fits_the_clock(lognormal)) return refuse_form("a p99 nearer to the median (rare draws leave the clock)", text);
  return sim::Distribution(lognormal);
}

Expected<sim::Distribution> read_samples(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream || std::filesystem::is_directory(file)) {
    return Refusal{fmt::format("expected a file with one duration a line, but '{}' cannot be read", file.string())};
  }
  sim::Empirical empirical;
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    line = line.substr(0, line.find('#'));
    boost::algorithm::trim(line);
    if (line.empty()) continue;
    const auto sample = parse_duration(line);
    if (!sample) return Refusal{fmt::format("in line {} of '{}': {}", number, file.string(), sample.message())};
    empirical.samples.push_back(*sample);
  }
  if (empirical.samples.empty()) {
    return Refusal{fmt::format("expected at least one duration in '{}', found none", file.string())};
  }
  return sim::Distribution(std::move(empirical));
}

Expected<sim::Distribution> parse_empirical(std::string_view text, const std::filesystem::path& folder) {
  constexpr std::string_view kWord = "empirical";
  const std::string file = boost::algorithm::trim_copy(std::string(text.substr(kWord.size())));
  if (file.empty()) return refuse_form("`empirical FILE`, such as empirical think_times.txt", text);
  return read_samples(folder / file);
}

Expected<sim::Distribution> parse_bare(const Words& words, std::string_view text) {
  if (words.size() == 1 && !words[0].empty() && (is_digit(words[0][0]) || words[0][0] == '-')) {
    const auto value = parse_duration(text);
    if (!value) return Refusal{value.message()};
    return sim::Distribution(sim::Constant{*value});
  }
  const Words names = {"constant", "uniform", "exponential", "lognormal", "empirical"};
  return Refusal{fmt::format("expected {}, found '{}'{}", kDistributionExpected, text, did_you_mean(words[0], names))};
}

}  // namespace

Expected<sim::Nanoseconds> parse_duration(std::string_view text) {
  const auto count = parse(kDuration, text);
  if (!count) return Refusal{count.message()};
  return sim::Nanoseconds{*count};
}

Expected<models::Bytes> parse_size(std::string_view text) {
  const auto count = parse(kSize, text);
  if (!count) return Refusal{count.message()};
  return models::Bytes{*count};
}

Expected<models::Bytes> parse_byte_rate(std::string_view text) {
  const auto count = parse(kByteRate, text);
  if (!count) return Refusal{count.message()};
  return models::Bytes{*count};
}

Expected<sim::Distribution> parse_distribution(std::string_view text, const std::filesystem::path& folder) {
  const std::string trimmed = boost::algorithm::trim_copy(std::string(text));
  Words words;
  boost::algorithm::split(words, trimmed, boost::algorithm::is_space(), boost::algorithm::token_compress_on);
  if (words[0] == "constant") return parse_constant(words, trimmed);
  if (words[0] == "uniform") return parse_uniform(words, trimmed);
  if (words[0] == "exponential") return parse_exponential(words, trimmed);
  if (words[0] == "lognormal") return parse_lognormal(words, trimmed);
  if (words[0] == "empirical") return parse_empirical(trimmed, folder);
  return parse_bare(words, trimmed);
}

std::string spell(sim::Nanoseconds duration) { return spell_in(kDurationUnits, duration.count()); }

std::string spell(models::Bytes size) { return spell_in(kSizeUnits, size.count()); }

std::string human(std::chrono::duration<double, std::nano> time) {
  constexpr double kRoundsToThousand = 999.5;
  double amount = std::abs(time.count());
  const char* const sign = time.count() < 0 ? "-" : "";
  if (amount < kRoundsToThousand) return fmt::format("{}{:.3g} ns", sign, amount);
  for (const TimeUnit& unit : std::span(kTimeUnits).subspan(1)) {
    amount /= 1000;
    if (amount >= kRoundsToThousand && unit.name != kTimeUnits.back().name) continue;
    const int decimals = amount < 9.995 ? 2 : amount < 99.95 ? 1 : 0;
    return fmt::format("{}{:.{}f} {}", sign, amount, decimals, unit.name);
  }
  return {};
}

const TimeUnit& time_unit_of(double nanoseconds, double least) {
  const auto found = std::find_if(kTimeUnits.rbegin(), kTimeUnits.rend(),
                                  [&](const TimeUnit& unit) { return nanoseconds >= least * unit.nanoseconds; });
  return found == kTimeUnits.rend() ? kTimeUnits.front() : *found;
}

std::string human(models::Bytes bytes) {
  constexpr double kStep = 1024;
  double amount = std::abs(static_cast<double>(bytes.count()));
  const char* const sign = bytes.count() < 0 ? "-" : "";
  for (const Unit& unit : kSizeUnits) {
    const bool last = unit.name == kSizeUnits.back().name;
    if (amount < 999.5) return fmt::format("{}{:.3g} {}", sign, amount, unit.name);
    if (last || amount < kStep - 0.5) return fmt::format("{}{:.0f} {}", sign, amount, unit.name);
    amount /= kStep;
  }
  return {};
}

}  // namespace experiments
