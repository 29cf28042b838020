// The values that scenarios, machines and policies are made of, each read from one YamlField.
//
// Each reader returns nothing when it has reported a diagnostic, as YamlField does.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/yaml_reader.h"
#include "models/spec/page.h"
#include "sim/distribution.h"
#include "sim/time.h"

namespace experiments {

/// Sets `target` if the field is there and can be read.
template <typename T, typename Read>
void assign(T& target, const std::optional<YamlField>& field, Read read) {
  if (!field) return;
  if (auto value = read(*field)) target = std::move(*value);
}

/// A form of texts that has a name: what stands in messages for it, and a regular expression (of ECMA-262, with
/// anchors) that each text of the form matches, and of the others hardly one.
struct TextForm {
  std::string name;
  std::string expected;
  std::string pattern;
};
/// Names, durations, sizes, rates and distributions.
[[nodiscard]] const std::vector<TextForm>& text_forms();

/// Any text that is not empty.
[[nodiscard]] std::optional<std::string> text_of(const YamlField& field);

/// `true` or `false`.
[[nodiscard]] std::optional<bool> truth_of(const YamlField& field);

/// A name: letters, digits, '_', '-' and '.'.
[[nodiscard]] std::optional<std::string> name_of(const YamlField& field);
/// Refuses a key that is no name, in maps whose keys are names.
void check_name(const YamlMap& map, const YamlMap::Item& item);

/// The names of `all`, in their order.
template <typename Named>
std::vector<std::string> names_of(const std::vector<Named>& all) {
  std::vector<std::string> names;
  for (const Named& one : all) names.push_back(one.name);
  return names;
}

/// The one of `all` that `field` names; null without the field, and after a diagnostic. `expected` describes it.
template <typename Named>
const Named* one_named(const std::optional<YamlField>& field, const std::vector<Named>& all,
                       std::string_view expected) {
  const auto name = field ? name_of(*field) : std::nullopt;
  if (!name) return nullptr;
  const auto found = std::find_if(all.begin(), all.end(), [&](const Named& each) { return each.name == *name; });
  if (found != all.end()) return &*found;
  field->refuse_expecting(expected, did_you_mean(*name, names_of(all)));
  return nullptr;
}

/// Keys of which a map has one at most, of each row.
[[nodiscard]] const std::vector<std::vector<std::string>>& alternatives();
/// Refuses two such keys that a map has: the one that --set has added, otherwise `other`. `instead` says what would do
/// in place of that --set.
void refuse_both(const YamlField& one, const YamlField& other, std::string_view instead = {});

/// 0 .. kLongestDuration.
[[nodiscard]] std::optional<sim::Nanoseconds> duration_of(const YamlField& field);
/// As duration_of, and not 0.
[[nodiscard]] std::optional<sim::Nanoseconds> positive_duration_of(const YamlField& field);
/// A text as of parse_distribution, or a list of durations: an empirical distribution. An empirical distribution's file
/// is looked for beside the file that names it.
[[nodiscard]] std::optional<sim::Distribution> distribution_of(const YamlField& field);
/// As distribution_of, and above zero on average: from one of many to the next.
[[nodiscard]] std::optional<sim::Distribution> inter_arrival_of(const YamlField& field);

/// 0 .. kLargestSize.
[[nodiscard]] std::optional<models::Bytes> size_of(const YamlField& field);
/// A size that is a multiple of kPageSize, and not 0.
[[nodiscard]] std::optional<models::Bytes> whole_pages_of(const YamlField& field);
/// Bytes in a second.
[[nodiscard]] std::optional<models::Bytes> byte_rate_of(const YamlField& field);

/// A niceness, -20 .. 19.
[[nodiscard]] std::optional<int> nice_of(const YamlField& field);

/// The reader of a whole number from 0 to `most`.
[[nodiscard]] std::function<std::optional<int>(const YamlField&)> number_up_to(int most);
/// The reader of a whole number from 1 to `most`.
[[nodiscard]] std::function<std::optional<int>(const YamlField&)> count_up_to(int most);

/// Words and what each stands for.
template <typename T>
using Choices = std::vector<std::pair<std::string, T>>;

/// One of `choices`, whose words are the keys; `planned` are words of the design that do nothing yet.
template <typename T>
std::optional<T> choice_of(const YamlField& field, const Choices<T>& choices,
                           const std::vector<std::string>& planned = {}) {
  std::vector<std::string> words;
  for (const auto& [word, value] : choices) words.push_back(word);
  const std::string expected = fmt::format("{}", fmt::join(words, ", "));
  const auto written = field.one_of(words, expected);
  if (!written) return std::nullopt;
  for (const auto& [word, value] : choices) {
    if (word == *written) return value;
  }
  if (std::find(planned.begin(), planned.end(), *written) != planned.end()) {
    field.refuse(fmt::format("'{}' is not supported by this version (supported: {})", *written, expected));
  } else {
    field.refuse_expecting(expected, did_you_mean(*written, words));
  }
  return std::nullopt;
}

}  // namespace experiments
