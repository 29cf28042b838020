#include "experiments/base/diagnostics.h"

#include <fmt/format.h>

#include <boost/algorithm/string/case_conv.hpp>

#include <algorithm>
#include <cassert>
#include <numeric>
#include <tuple>

namespace experiments {

namespace {

/// The least number of slips between two words (optimal string alignment).
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::optional<std::string> only_continuation(const std::string& word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kTellsSomething = 3;
  if (word.size() < kTellsSomething) return std::nullopt;
  const auto continues = [&](const std::string& candidate) {
    return boost::algorithm::to_lower_copy(candidate).starts_with(word);
  };
  if (std::count_if(candidates.begin(), candidates.end(), continues) != 1) return std::nullopt;
  return *std::find_if(candidates.begin(), candidates.end(), continues);
}

/// The one candidate that has the letters of `word` in this order, beginning with the same: rnd stands for random.
std::optional<std::string> only_abbreviated(const std::string& word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kTellsSomething = 3;
  if (word.size() < kTellsSomething) return std::nullopt;
  const auto abbreviates = [&](const std::string& candidate) {
    const std::string lower = boost::algorithm::to_lower_copy(candidate);
    if (!lower.starts_with(word.front())) return false;
    std::size_t found = 0;
    for (const char letter : lower) found += found < word.size() && word[found] == letter ? 1 : 0;
    return found == word.size();
  };
  if (std::count_if(candidates.begin(), candidates.end(), abbreviates) != 1) return std::nullopt;
  return *std::find_if(candidates.begin(), candidates.end(), abbreviates);
}

}  // namespace

std::string to_text(const Diagnostic& diagnostic) {
  std::string text = diagnostic.file;
  if (diagnostic.line > 0) text += fmt::format(":{}:{}", diagnostic.line, diagnostic.column);
  if (!text.empty()) text += ": ";
  if (!diagnostic.key.empty()) text += diagnostic.key + ": ";
  return text + diagnostic.message;
}

InputError::InputError(std::vector<Diagnostic> diagnostics) : diagnostics_(std::move(diagnostics)) {
  assert(!diagnostics_.empty());
  std::stable_sort(diagnostics_.begin(), diagnostics_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
  for (const Diagnostic& diagnostic : diagnostics_) {
    if (!text_.empty()) text_ += '\n';
    text_ += to_text(diagnostic);
  }
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string lower = boost::algorithm::to_lower_copy(std::string(word));
  const std::string* best = nullptr;
  std::size_t least = std::max<std::size_t>(1, lower.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(lower, boost::algorithm::to_lower_copy(candidate));
    // One slip turns any one-letter word into any other: that is not close.
    if (distance >= least || distance >= candidate.size()) continue;
    least = distance;
    best = &candidate;
  }
  if (best != nullptr) return *best;
  const auto continued = only_continuation(lower, candidates);
  return continued ? continued : only_abbreviated(lower, candidates);
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const auto meant = nearest(word, candidates);
  return meant ? fmt::format(" (did you mean {}?)", *meant) : std::string{};
}

std::string as_found(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  if (text.size() <= kLongest) return fmt::format("'{}'", text);
  std::size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // not within a character
  return fmt::format("'{}...' ({} characters)", text.substr(0, end), text.size());
}

}  // namespace experiments
