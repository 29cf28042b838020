// What the results of a comparison answer. The one place that decides it: the verdict prints it, `compare --json` keeps
// it, and the page of a comparison shows what was kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/base/change.h"
#include "experiments/base/expression.h"
#include "experiments/base/json.h"
#include "experiments/compare/comparison.h"
#include "experiments/compare/policy_question.h"

namespace experiments {

/// What a change of policy does to the requests of a class that are due during one of the locker's calls.
struct ClassEffect {
  Measure measure;  ///< of the class, during the call
  sim::Nanoseconds before{};
  sim::Nanoseconds after{};            ///< both of the requests of all replications together
  std::optional<Interval> difference;  ///< after - before in nanoseconds, paired; none with one replication
  Change change = Change::none;

  /// factor_text() of the two.
  [[nodiscard]] std::string factor() const;

  bool operator==(const ClassEffect&) const = default;
};

struct PolicyAnswer {
  std::string question;
  std::string before;  ///< policies
  std::string after;
  std::optional<models::Phase> call;   ///< as in PolicyQuestion
  std::vector<std::string> differ_in;  ///< keys_that_differ()
  std::vector<ClassEffect> effects;    ///< in the order of Comparison::rows(), those of other calls left out

  /// For whom it is better, for whom not. Sentences.
  [[nodiscard]] std::string in_words() const;

  bool operator==(const PolicyAnswer&) const = default;
};

[[nodiscard]] PolicyAnswer answer_to(const PolicyQuestion& question, const Comparison& comparison);
/// To all that its policies answer.
[[nodiscard]] std::vector<PolicyAnswer> answers_of(const Comparison& comparison);

[[nodiscard]] Json to_json(const PolicyAnswer& answer);
/// What to_json has written. Throws Json::exception where something is missing or no such value.
[[nodiscard]] PolicyAnswer answer_from(const Json& json);

}  // namespace experiments
