// A table's text, line by line, and the numbers in it. For the parsers of this folder.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/host/trace/text_scan.h"
#include "sim/time.h"

namespace experiments {

/// A line of a mail without the marks of those who have quoted it.
constexpr std::string_view without_quotation_marks(std::string_view line) {
  while (line.starts_with('>')) line.remove_prefix(line.starts_with("> ") ? 2 : 1);
  return line;
}

/// A text that somebody attached, and what it is called in messages.
struct TableText {
  std::string source;
  std::vector<std::string_view> lines;  ///< of a text that outlives this; line 1 is the first

  TableText(std::string source_name, std::string_view text) : source(std::move(source_name)) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      lines.push_back(without_trailing_blanks(without_quotation_marks(text.substr(0, end))));
      text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
  }

  /// Throws InputError. `index`: from 0; one past the last: the whole text.
  [[noreturn]] void refuse(std::size_t index, const std::string& expected) const {
    const bool is_there = index < lines.size();
    throw InputError({{source, is_there ? static_cast<int>(index) + 1 : 0, is_there ? 1 : 0, "",
                       "expected " + expected + (is_there ? ", found " + as_found(lines[index]) : "")}});
  }
};

/// The words of a line.
inline std::vector<std::string_view> words_in_line(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::string_view rest = without_leading_blanks(text); !rest.empty();) {
    const std::string_view word = first_word(rest);
    words.push_back(word);
    rest = without_leading_blanks(rest.substr(word.size()));
  }
  return words;
}

/// A word that is a whole number and nothing else.
inline std::optional<std::uint64_t> whole_number(std::string_view word) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return number;
}

/// The first of many names, and how many more there are.
inline std::string first_of(const std::vector<std::string>& all) {
  constexpr std::size_t kNamed = 8;
  if (all.size() <= kNamed) return fmt::format("{}", fmt::join(all, ", "));
  return fmt::format("{} and {} more", fmt::join(all.begin(), all.begin() + kNamed, ", "), all.size() - kNamed);
}

/// Bytes that a terminal would obey are shown as what they are not.
inline std::string without_control_characters(std::string_view text) {
  std::string shown(text);
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return shown;
}

/// The longest time that a table may name: a hundred years or so.
inline constexpr double kLongestInTable = 4e18;

/// A number and its unit as perf and klockstat print them: `45.00`, `us`. Units are ns, us, ms, s, m (minutes) and h.
inline std::optional<sim::Nanoseconds> time_in_table(std::string_view number, std::string_view unit) {
  struct Unit {
    std::string_view name;
    double nanoseconds;
  };
  constexpr Unit kUnits[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc{} || end != number.data() + number.size() || !(value >= 0)) return std::nullopt;
  for (const Unit& each : kUnits) {
    if (each.name != unit) continue;
    const double nanoseconds = value * each.nanoseconds;
    if (nanoseconds > kLongestInTable) return std::nullopt;
    return sim::Nanoseconds{std::llround(nanoseconds)};
  }
  return std::nullopt;
}

}  // namespace experiments
