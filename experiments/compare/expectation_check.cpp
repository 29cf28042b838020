#include "experiments/compare/expectation_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

#include "experiments/base/change.h"
#include "experiments/base/quantity.h"
#include "experiments/base/statistic_list.h"
#include "sim/histogram.h"

namespace experiments {

namespace {

std::uint64_t samples_needed(const NamedStatistic& statistic) {
  return statistic.is_percentile() ? sim::Histogram::samples_needed(statistic.quantile) : 1;
}

// --- checking ---------------------------------------------------------------------------------------------------

MeasuredFigure figure_of(const Measure& measure, const std::vector<FigureSample>& samples) {
  MeasuredFigure figure{measure};
  figure.needed = samples_needed(*find_statistic(measure.statistic));
  std::vector<double> values;
  figure.samples = samples.empty() ? 0 : samples.front().samples;
  for (const FigureSample& sample : samples) {
    figure.samples = std::min(figure.samples, sample.samples);
    if (sample.value) values.push_back(*sample.value);
  }
  if (values.empty() || values.size() != samples.size()) return figure;
  figure.value = mean_of(values);
  figure.interval = mean_interval(values);
  return figure;
}

/// Notes, once for each policy, that runs under it ran out of memory.
void add_out_of_memory(const std::string& policy, const std::vector<FigureSample>& samples, ExpectationCheck& check) {
  std::vector<MemoryEnd> ends;
  for (const FigureSample& sample : samples) ends.push_back(sample.out_of_memory);
  const auto found = out_of_memory(policy, ends);
  if (!found) return;
  const bool known = std::any_of(check.out_of_memory.begin(), check.out_of_memory.end(),
                                 [&](const OutOfMemory& each) { return each.who == policy; });
  if (!known) check.out_of_memory.push_back(*found);
}

/// `policy`: of measures that name none.
ExpectationCheck check_one(const Expectation& expectation, const std::string& policy, const FigureLookup& lookup) {
  ExpectationCheck check{expectation.text, expectation.policies().empty() ? policy : "", Holds::yes};
  for (const Measure& asked : measures_of(expectation.condition)) {
    Measure measure = asked;
    if (measure.policy.empty()) measure.policy = policy;
    const auto samples = lookup(measure);
    if (!samples) {
      check.holds = Holds::not_checked;
      check.reason = fmt::format("needs a run under {}", measure.policy);
      check.figures.clear();
      check.out_of_memory.clear();
      return check;
    }
    add_out_of_memory(measure.policy, *samples, check);
    const bool known = std::any_of(check.figures.begin(), check.figures.end(),
                                   [&](const MeasuredFigure& each) { return each.measure == asked; });
    if (!known) check.figures.push_back(figure_of(asked, *samples));
  }
  if (std::any_of(check.figures.begin(), check.figures.end(), [](const auto& each) { return !each.value; })) {
    check.holds = Holds::undecidable;
    return check;
  }
  Surroundings surroundings;
  surroundings.is_axis = [](const std::string&) { return false; };
  surroundings.measure = [&](const Measure& measure) {
    return std::find_if(check.figures.begin(), check.figures.end(),
                        [&](const MeasuredFigure& each) { return each.measure == measure; })
        ->value;
  };
  const auto truth = holds(expectation.condition, surroundings);
  check.holds = !truth ? Holds::undecidable : *truth ? Holds::yes : Holds::no;
  if (!truth) check.reason = truth.message();
  return check;
}

// --- results ----------------------------------------------------------------------------------------------------

std::optional<double> value_of(const sim::Histogram& histogram, const std::string& statistic) {
  if (statistic == "count") return static_cast<double>(histogram.count());
  if (histogram.empty()) return std::nullopt;
  if (statistic == "mean") return histogram.mean();
  if (statistic == "max") return static_cast<double>(histogram.max().count());
  const auto value = histogram.percentile(find_statistic(statistic)->quantile);
  return value ? std::optional(static_cast<double>(value->count())) : std::nullopt;
}

FigureSample sample_of(const models::Result& result, const Measure& measure) {
  const sim::Histogram histogram = latency_of(result, measure);
  return {value_of(histogram, measure.statistic), histogram.count(), memory_end(result)};
}

// --- words ------------------------------------------------------------------------------------------------------

std::string amount(const MeasuredFigure& figure) {
  if (figure.measure.statistic == "count") return fmt::format("{:.0f}", *figure.value);
  using Fraction = std::chrono::duration<double, std::nano>;
  std::string text = human(Fraction(*figure.value));
  if (figure.interval)
    text += fmt::format(" [{}, {}]", human(Fraction(figure.interval->low)), human(Fraction(figure.interval->high)));
  return text;
}

std::string found(const ExpectationCheck& check) {
  if (check.holds == Holds::not_checked) return check.reason;
  std::vector<std::string> parts;
  for (const MeasuredFigure& figure : check.figures) {
    if (check.holds == Holds::undecidable && check.reason.empty()) {
      if (!figure.value) {
        parts.push_back(fmt::format("{} needs {} samples, has {}", to_text(figure.measure), with_commas(figure.needed),
                                    with_commas(figure.samples)));
      }
    } else {
      parts.push_back(check.figures.size() == 1 ? amount(figure)
                                                : fmt::format("{} = {}", to_text(figure.measure), amount(figure)));
    }
  }
  std::string text = fmt::format("{}{}{}", check.reason, check.reason.empty() ? "" : ": ", fmt::join(parts, ", "));
  for (const OutOfMemory& each : check.out_of_memory) text += "; " + to_text(each);
  return text;
}

std::string_view word(Holds holds) {
  switch (holds) {
    case Holds::yes:
      return "holds";
    case Holds::no:
      return "FAILS";
    case Holds::undecidable:
      return "undecidable";
    case Holds::not_checked:
      break;
  }
  return "not checked";
}

std::string condition_of(const ExpectationCheck& check) {
  return check.policy.empty() ? check.text : fmt::format("{}  ({})", check.text, check.policy);
}

}  // namespace

sim::Histogram latency_of(const models::Result& result, const Measure& measure) {
  const models::ClassResult* const found = result.find_class(measure.class_name);
  if (found == nullptr) return {};
  if (measure.phase == "total") return found->total().latency();
  if (const auto call = found->calls.find(measure.phase); call != found->calls.end()) return call->second.duration;
  for (std::size_t number = 0; number < models::kPhaseCount; ++number) {
    const auto phase = static_cast<models::Phase>(number);
    if (to_string(phase) != measure.phase) continue;
    if (call_of(phase) == phase) return found->during_call(phase).latency();
    const auto part = found->during.find(phase);
    return part == found->during.end() ? sim::Histogram{} : part->second.latency();
  }
  return {};
}

std::vector<ExpectationCheck> check_expectations(const std::vector<Expectation>& expectations,
                                                 const std::vector<std::string>& policies, const FigureLookup& lookup) {
  std::vector<ExpectationCheck> checks;
  for (const Expectation& expectation : expectations) {
    const std::vector<Measure> measures = measures_of(expectation.condition);
    const bool names_all =
        std::none_of(measures.begin(), measures.end(), [](const Measure& measure) { return measure.policy.empty(); });
    if (names_all) {
      checks.push_back(check_one(expectation, {}, lookup));
      continue;
    }
    for (const std::string& policy : policies) checks.push_back(check_one(expectation, policy, lookup));
  }
  return checks;
}

std::vector<ExpectationCheck> check_expectations(const std::vector<Expectation>& expectations,
                                                 const std::vector<std::string>& policies,
                                                 const std::vector<std::vector<models::Result>>& results) {
  return check_expectations(
      expectations, policies, FigureLookup([&](const Measure& measure) -> std::optional<std::vector<FigureSample>> {
        const auto place = std::find(policies.begin(), policies.end(), measure.policy);
        if (place == policies.end()) return std::nullopt;
        std::vector<FigureSample> samples;
        for (const models::Result& result : results[static_cast<std::size_t>(place - policies.begin())]) {
          samples.push_back(sample_of(result, measure));
        }
        return samples;
      }));
}

bool all_hold(const std::vector<ExpectationCheck>& checks) {
  return std::all_of(checks.begin(), checks.end(), [](const ExpectationCheck& check) {
    return check.holds == Holds::yes || check.holds == Holds::not_checked;
  });
}

std::string to_text(const std::vector<ExpectationCheck>& checks) {
  if (checks.empty()) return {};
  std::size_t width = 0;
  for (const ExpectationCheck& check : checks) width = std::max(width, condition_of(check).size());
  std::string text = "Expectations\n";
  for (const ExpectationCheck& check : checks) {
    text += fmt::format("    {:<12} {:<{}}  {}\n", word(check.holds), condition_of(check), width, found(check));
  }
  return text;
}

Json to_json(const std::vector<ExpectationCheck>& checks) {
  Json json = Json::array();
  for (const ExpectationCheck& check : checks) {
    Json each{{"condition", check.text}};
    if (!check.policy.empty()) each["policy"] = check.policy;
    each["holds"] = check.holds == Holds::yes ? Json(true) : check.holds == Holds::no ? Json(false) : Json(nullptr);
    if (!check.reason.empty()) each[check.holds == Holds::undecidable ? "undecidable" : "not_checked"] = check.reason;
    for (const OutOfMemory& runs : check.out_of_memory) each["out_of_memory"].push_back(to_json(runs));
    Json& measures = each["measures"] = Json::array();
    for (const MeasuredFigure& figure : check.figures) {
      Json measured{{"measure", to_text(figure.measure)},
                    {"value", figure.value ? Json(std::llround(*figure.value)) : Json(nullptr)}};
      if (figure.interval) {
        measured["low"] = std::llround(figure.interval->low);
        measured["high"] = std::llround(figure.interval->high);
      }
      measured["samples"] = figure.samples;
      measured["needed"] = figure.needed;
      measures.push_back(measured);
    }
    json.push_back(each);
  }
  return json;
}

}  // namespace experiments
