// What is wrong with an input, where, and what was perhaps meant.
#pragma once

#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace experiments {

/// One mistake in an input.
struct Diagnostic {
  std::string file;  ///< as the user named it; without a position also an option, such as `--set memory.size=4GB`
  int line = 0;      ///< from 1; 0: no position
  int column = 0;    ///< from 1; 0: no position
  std::string key;   ///< the path of the key, such as `processes[0].regions.heap.size`; empty: the whole input
  std::string message;

  bool operator==(const Diagnostic&) const = default;
};

/// One line for people and editors: `file:12:7: memory.size: expected a size such as 4GiB, found 'big'`.
/// What is missing (position, key) is left out.
[[nodiscard]] std::string to_text(const Diagnostic& diagnostic);

/// The input is bad. Carries everything that is wrong with it, sorted by file and position.
class InputError : public std::exception {
 public:
  /// At least one diagnostic.
  explicit InputError(std::vector<Diagnostic> diagnostics);

  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  /// All diagnostics, one a line, without a newline at the end.
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::vector<Diagnostic> diagnostics_;
  std::string text_;
};

/// The command line is wrong.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The candidate that `word` was most likely meant to be, or nothing when none is close: one slip (a letter too
/// many, missing, wrong or swapped with its neighbour) for each three letters, in any case of letters; or the
/// one candidate that continues `word` (from three letters on). The first of equally close ones.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

/// ` (did you mean X?)` for the nearest candidate, nothing when none is close.
[[nodiscard]] std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// A text as messages quote what they found: in quotes, and of a long one its beginning.
[[nodiscard]] std::string as_found(std::string_view text);

}  // namespace experiments
