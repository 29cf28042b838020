// Looking through a line of text from left to right, without copying it.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace experiments {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr std::string_view without_leading_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

constexpr std::string_view without_trailing_blanks(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t\r");
  return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

/// The first word of `text`.
constexpr std::string_view first_word(std::string_view text) {
  const std::string_view begun = without_leading_blanks(text);
  return begun.substr(0, begun.find_first_of(" \t"));
}

/// What stands behind `key` (`mm=`), up to the next blank; nothing where the key is not in `text` as a word's
/// beginning.
constexpr std::optional<std::string_view> value_behind(std::string_view text, std::string_view key) {
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    if (at > 0 && text[at - 1] != ' ') continue;
    const std::string_view value = text.substr(at + key.size());
    return value.substr(0, value.find(' '));
  }
  return std::nullopt;
}

/// The number that `text` begins with, in hexadecimal with or without 0x, or in decimal.
inline std::optional<std::uint64_t> number_at(std::string_view text, int base) {
  if (base == 16 && text.starts_with("0x")) text.remove_prefix(2);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} ? std::optional(number) : std::nullopt;
}

}  // namespace experiments
