// Pieces of a page: text that stays text, and numbers that say where they come from.
#pragma once

#include <string>
#include <string_view>

namespace experiments {

/// `text` as it may stand between tags and in quoted attributes.
[[nodiscard]] std::string html_text(std::string_view text);

/// The same of a sentence that the program also prints: what stands in backticks as code, and `12 us` with the sign for
/// micro and a space that does not break, as all times of a page.
[[nodiscard]] std::string html_prose(std::string_view text);

/// `text` as a part of an address, between slashes.
[[nodiscard]] std::string url_part(std::string_view text);

/// A number on a page, and how to get it again.
struct TracedNumber {
  std::string text;  ///< as people read it; not escaped yet
  double value = 0;
  /// What is done with the rows of `source`: mean, low, high (of the mean's 95 % interval), ratio, ratio-low,
  /// ratio-high (of the paired ratios' geometric mean), or single.
  std::string statistic;
  std::string source;  ///< a query to the store
};

/// As a <data> element. Without a source it is just text.
[[nodiscard]] std::string html_number(const TracedNumber& number);

/// The text of a fragment, without its tags; entities of html_text are resolved.
[[nodiscard]] std::string plain_text(std::string_view fragment);

}  // namespace experiments
