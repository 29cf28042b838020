// Small expressions in study files: `region >= 1GiB or pressure == none`, `faulters + 2`,
// `p999(faulter.munlock, downgrade) > 10 * p999(faulter.munlock, unlock_downgrade)`.
//
// Values are numbers, sizes, durations, words and truths, and keep their kind: a size times a number is a size, a size
// over a size is a number, and 1GiB + 5ms is refused when the file is read. From loose to tight: or, and, not,
// comparisons (== != < <= > >=, which do not chain), + -, * /, unary minus.
//
// A name is that of an axis. Beside an axis of words, in == or !=, any other name is one of its words. A word that is
// no plain name (`linux-6.4`) is written in quotes.
//
// An axis may have no value at a point (study_file.h, `when`). What is computed from it has none either, every
// comparison with it is false, and so `not (swap == zram)` is true there.
//
// A division by zero, or any other result that is no finite number, is neither: what hangs on it is neither true nor
// false. `count(a) > 0 and count(b) / count(a) > 2` does not hang on it where count(a) is 0.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "experiments/base/quantity.h"

namespace experiments {

enum class ValueType { number, size, duration, word, truth };

/// "a number", "a size" ...
[[nodiscard]] std::string_view to_string(ValueType type);

/// A value of an expression.
struct Value {
  ValueType type = ValueType::number;
  double amount = 0;  ///< bytes of a size, nanoseconds of a duration, 0 or 1 of a truth; exact up to 2^53
  std::string word{};

  bool operator==(const Value&) const = default;
};

/// The value that a text stands for in a study: a number, a size, a duration, or else a word.
[[nodiscard]] Value value_of(std::string_view text);

/// The text that value_of and the scenario's own readers read as this value. Refused where there is none: a size
/// that is not a whole number of bytes, a duration that is not a whole number of nanoseconds, an infinite number.
[[nodiscard]] Expected<std::string> spell(const Value& value);

/// A figure of a run that an expression names: `p999(faulter.munlock, downgrade)`.
struct Measure {
  std::string statistic;  ///< count, mean, p50, p90, p99, p999, p9999 or max
  std::string class_name;
  std::string phase;   ///< "total" when none is named
  std::string policy;  ///< empty: whichever is looked at

  bool operator==(const Measure&) const = default;
};

/// As it is written in a study.
[[nodiscard]] std::string to_text(const Measure& measure);

/// The statistics that a Measure can name.
[[nodiscard]] const std::vector<std::string>& statistic_names();

/// A node of an expression. `op`: an operator of the grammar (and "negate"), with its operands.
struct Expression {
  enum class Kind { literal, name, measure, operation };
  Kind kind = Kind::literal;
  std::string text{};  ///< the name, or the operator
  Value value{};
  Measure measure{};
  std::vector<Expression> operands{};
};

/// Nobody writes longer ones; in time and memory a parser of what a program has written grows with its square.
inline constexpr std::size_t kLongestExpression = 1'000;
/// Parentheses in each other: each takes the parser some of its stack.
inline constexpr int kDeepestExpression = 50;

/// Reads the text of an expression: ASCII, but for words in quotes; at most kLongestExpression characters, and
/// kDeepestExpression parentheses in each other. Names are checked by type_of.
[[nodiscard]] Expected<Expression> parse_expression(std::string_view text);

/// Reads one measure, such as `p99(faulter.munlock)`.
[[nodiscard]] Expected<Measure> parse_measure(std::string_view text);

/// What an expression may name.
struct KnownName {
  std::string name;
  ValueType type;
  std::vector<std::string> words;  ///< all values of an axis of words
};

/// The type of an expression's value, once its names and types have been checked. Measures are durations, or numbers
/// (`count`); `measures_allowed`: whether there may be any.
[[nodiscard]] Expected<ValueType> type_of(const Expression& expression, const std::vector<KnownName>& names,
                                          bool measures_allowed);

/// The measures in an expression, from left to right.
[[nodiscard]] std::vector<Measure> measures_of(const Expression& expression);

/// What names and measures stand for; nothing where there is no value. An unknown name stands for itself, as a word.
struct Surroundings {
  std::function<std::optional<Value>(const std::string&)> name{};
  std::function<bool(const std::string&)> is_axis{};
  std::function<std::optional<double>(const Measure&)> measure{};
};

/// A value, or nothing where an axis or a measure has none; a Refusal where it is no finite number.
using Evaluation = Expected<std::optional<Value>>;

/// Precondition: type_of has accepted the expression.
[[nodiscard]] Evaluation evaluate(const Expression& expression, const Surroundings& surroundings);

/// Whether a condition holds. A Refusal where that hangs on what is no finite number.
[[nodiscard]] Expected<bool> holds(const Expression& condition, const Surroundings& surroundings);

}  // namespace experiments
