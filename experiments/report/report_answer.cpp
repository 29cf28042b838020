#include "experiments/report/report_answer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

#include "experiments/base/statistics.h"
#include "experiments/compare/policy_question.h"

namespace experiments {

namespace {

// --- what it is about -------------------------------------------------------------------------------------------

std::vector<models::Policy> known_rules(const ReportData& data) {
  std::vector<models::Policy> rules;
  for (const std::string& policy : data.policies) {
    const auto found = data.rules.find(policy);
    if (found == data.rules.end()) continue;
    rules.push_back(found->second);
    rules.back().name = policy;
  }
  return rules;
}

/// How well a question goes with what is measured: that of the measure's own phase is best, then the unlock path's.
int fit(const PolicyQuestion& question, const Measure& headline) {
  if (!question.call) return 0;
  const std::string call(to_string(*question.call));
  if (headline.phase == call || headline.phase.starts_with(call + ".")) return 2;
  return headline.phase == "total" && *question.call == models::Phase::munlock ? 1 : 0;
}

void ask(const ReportData& data, Focus& focus) {
  const std::vector<models::Policy> rules = known_rules(data);
  const std::vector<PolicyQuestion> questions = questions_between(rules);
  const auto best = std::max_element(questions.begin(), questions.end(), [&](const auto& a, const auto& b) {
    return fit(a, focus.headline) < fit(b, focus.headline);
  });
  focus.before = data.policies.front();
  if (best != questions.end() && fit(*best, focus.headline) > 0) {
    focus.before = rules[best->before].name;
    focus.after = rules[best->after].name;
    focus.question = best->question;
  } else if (data.policies.size() > 1) {
    focus.after = data.policies.back();
    focus.question = which_is_better(focus.before, focus.after);
  } else {
    focus.question = fmt::format("What does {} hang on?", measure_text(focus.headline));
  }
}

/// By how much it changes, in either direction; what does not while the locker is idle says least.
std::pair<double, bool> weight_of(const ClassEffect& effect) {
  const bool in_a_call = effect.measure.phase != to_string(models::Phase::idle);
  if (effect.change == Change::none) return {0, in_a_call};
  constexpr sim::Nanoseconds kLeast{1};
  return {std::abs(std::log(static_cast<double>(std::max(effect.before, kLeast).count()) /
                            static_cast<double>(std::max(effect.after, kLeast).count()))),
          in_a_call};
}

/// Of a comparison: what its verdict says first.
void take_answer(const PolicyAnswer& answer, Focus& focus) {
  focus.question = answer.question;
  focus.before = answer.before;
  focus.after = answer.after;
  if (answer.effects.empty()) return;
  const auto most =
      std::max_element(answer.effects.begin(), answer.effects.end(),
                       [](const ClassEffect& a, const ClassEffect& b) { return weight_of(a) < weight_of(b); });
  focus.headline = most->measure;
  focus.measures = {focus.headline};
  for (const ClassEffect& effect : answer.effects) {
    const bool meanwhile = effect.measure.phase == focus.headline.phase && effect.measure != focus.headline;
    if (meanwhile) focus.measures.push_back(effect.measure);
  }
}

/// The measure's mean at each point that has it, the smallest first.
std::vector<std::pair<double, std::size_t>> ranked_points(const ReportData& data, const std::string& policy,
                                                          const Measure& measure) {
  std::vector<std::pair<double, std::size_t>> ranked;
  for (const PointOutcomes& point : data.results.points) {
    const PolicyOutcomes* const outcomes = point.policy(policy);
    if (outcomes == nullptr) continue;
    const std::vector<double> values = outcomes->values(measure);
    if (!values.empty()) ranked.emplace_back(mean_of(values), point.number);
  }
  std::sort(ranked.begin(), ranked.end());
  return ranked;
}

std::size_t median_point(const ReportData& data, const Focus& focus) {
  std::vector<std::pair<double, std::size_t>> ranked;
  for (const PointEffect& effect : focus.effects) ranked.emplace_back(effect.ratio, effect.point);
  std::sort(ranked.begin(), ranked.end());
  if (ranked.empty()) ranked = ranked_points(data, focus.before, focus.headline);
  return ranked.empty() ? 0 : ranked[ranked.size() / 2].second;
}

// --- sentences --------------------------------------------------------------------------------------------------

struct Tally {
  std::map<Change, std::size_t> points;
  std::size_t all = 0;

  [[nodiscard]] std::size_t of(Change change) const {
    const auto found = points.find(change);
    return found == points.end() ? 0 : found->second;
  }
};

Tally tally_of(const std::vector<PointEffect>& effects) {
  Tally tally;
  for (const PointEffect& effect : effects) ++tally.points[effect.change];
  tally.all = effects.size();
  return tally;
}

std::string verdict_of(const Tally& tally) {
  if (tally.all == 0) return "These runs cannot tell";
  if (tally.of(Change::shorter) == tally.all) return "Yes";
  if (tally.of(Change::none) == tally.all) return "No";
  if (tally.of(Change::shorter) == 0) return "No, rather worse";
  return tally.of(Change::shorter) * 10 >= tally.all * 9 ? "Yes, nearly everywhere" : "It depends";
}

std::string place(const ReportData& data, std::size_t point) {
  return html_text(title_of(data.results, data.results.points[point]));
}

std::string tally_number(const ReportData& data, const Focus& focus, const Measure& measure, std::size_t count,
                         const char* of) {
  return html_number({fmt::format("{}", count), static_cast<double>(count), of,
                      query_of_all_pairs(data, focus.before, focus.after, measure)});
}

/// `shorter at 24 points, no different as far as shown at 2, longer at 1`.
std::string tally_html(const ReportData& data, const Focus& focus, const Measure& measure, const Tally& tally) {
  const auto number = [&](Change change, const char* of) {
    return tally_number(data, focus, measure, tally.of(change), of);
  };
  if (tally.of(Change::shorter) == tally.all) {
    return fmt::format("shorter at all {}", tally_number(data, focus, measure, tally.all, "points"));
  }
  if (tally.of(Change::none) == tally.all) {
    return fmt::format("not shown to differ at any of {}", tally_number(data, focus, measure, tally.all, "points"));
  }
  if (tally.of(Change::longer) == tally.all) {
    return fmt::format("longer at all {}", tally_number(data, focus, measure, tally.all, "points"));
  }
  std::string text = fmt::format("shorter at {} of {} points", number(Change::shorter, "shorter"),
                                 tally_number(data, focus, measure, tally.all, "points"));
  if (tally.of(Change::none) > 0) text += fmt::format(", not shown to differ at {}", number(Change::none, "none"));
  if (tally.of(Change::longer) > 0) text += fmt::format(", longer at {}", number(Change::longer, "longer"));
  return text;
}

std::string confidence(const ReportData& data, std::size_t point, const std::string& policy) {
  const std::size_t seeds = data.runs(point, policy).size();
  return seeds > 1 ? fmt::format(" (means of {} seeds, with 95 % confidence)", seeds) : " (one seed: no confidence)";
}

std::string first_sentence(const ReportData& data, const Focus& focus) {
  const auto effect = std::find_if(focus.effects.begin(), focus.effects.end(),
                                   [&](const PointEffect& each) { return each.point == focus.point; });
  if (effect == focus.effects.end()) {
    return fmt::format("<strong>These runs cannot tell:</strong> no point has {} under both {} and {}.",
                       html_text(measure_text(focus.headline)), html_text(focus.before), html_text(focus.after));
  }
  const std::string where = data.results.points.size() == 1
                                ? std::string()
                                : fmt::format(" (at {}, the point of the median effect)", place(data, focus.point));
  return fmt::format("<strong>{}:</strong> {} takes {} under {} instead of {} under {}{}, {}{}.",
                     verdict_of(tally_of(focus.effects)), html_text(measure_text(focus.headline)),
                     mean_html(data, focus.point, focus.after, focus.headline), html_text(focus.after),
                     mean_html(data, focus.point, focus.before, focus.headline), html_text(focus.before), where,
                     ratio_html(data, focus, *effect, focus.headline), confidence(data, focus.point, focus.after));
}

std::string range_sentence(const ReportData& data, const Focus& focus) {
  if (focus.effects.size() < 2) return {};
  const auto [best, worst] =
      std::minmax_element(focus.effects.begin(), focus.effects.end(),
                          [](const PointEffect& a, const PointEffect& b) { return a.ratio < b.ratio; });
  return fmt::format("It is {}; from {} (at {}) to {} (at {}).",
                     tally_html(data, focus, focus.headline, tally_of(focus.effects)),
                     ratio_html(data, focus, *best, focus.headline), place(data, best->point),
                     ratio_html(data, focus, *worst, focus.headline), place(data, worst->point));
}

/// What the locker's own call takes under both policies at the point shown.
std::string price(const ReportData& data, const Focus& focus) {
  const std::string phase = focus.headline.phase.substr(0, focus.headline.phase.find('.'));
  const std::string fact = fmt::format("syscalls.{}.mean_ns", phase);
  const auto mean = [&](const std::string& policy) -> std::optional<double> {
    std::vector<double> values;
    for (const std::string& run : data.runs(focus.point, policy)) {
      const RunDetails details = data.details(run);
      const Json::json_pointer pointer(fmt::format("/syscalls/{}/mean_ns", phase));
      if (details.result.contains(pointer) && details.result[pointer].is_number()) {
        values.push_back(details.result[pointer].get<double>());
      }
    }
    return values.empty() ? std::nullopt : std::optional(mean_of(values));
  };
  const auto before = mean(focus.before);
  const auto after = mean(focus.after);
  if (!before || !after) return {};
  const auto number = [&](double value, const std::string& policy) {
    return html_number({time_text(value), value, "mean", query_of_fact(data, focus.point, policy, fact)});
  };
  const std::string instead =
      time_text(*before) == time_text(*after) ? "as before" : "instead of " + number(*before, focus.before);
  return fmt::format("the price: the locker's own {} takes {} {}", phase, number(*after, focus.after), instead);
}

std::string capital(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string others_sentence(const ReportData& data, const Focus& focus) {
  std::vector<std::string> parts;
  for (const Measure& measure : data.measures) {
    if (measure == focus.headline) continue;
    const std::vector<PointEffect> effects = effects_of(data, focus.before, focus.after, measure);
    if (effects.empty()) continue;
    if (effects.size() == 1) {
      parts.push_back(
          fmt::format("{}: {}", html_text(measure_text(measure)), ratio_html(data, focus, effects.front(), measure)));
    } else {
      parts.push_back(fmt::format("{} is {}", html_text(measure_text(measure)),
                                  tally_html(data, focus, measure, tally_of(effects))));
    }
  }
  if (const std::string paid = price(data, focus); !paid.empty()) parts.push_back(paid);
  if (parts.empty()) return {};
  return capital(fmt::format("{}.", fmt::join(parts, "; ")));
}

// --- a comparison -------------------------------------------------------------------------------------------------

/// What the verdict's figures are worth.
std::string worth(const ClassEffect& effect, std::size_t seeds) {
  if (!effect.difference) return " (one seed: no confidence)";
  const Interval& difference = *effect.difference;
  return fmt::format(" (of {} seeds together; difference {} [{}, {}] with 95 % confidence{})", seeds,
                     time_text(difference.mean), time_text(difference.low), time_text(difference.high),
                     shows_difference(difference) ? "" : ", none shown");
}

/// The verdict on the two policies of the focus. Where more than one path is asked about, of what stays the same the
/// section of the verdict tells.
std::vector<std::string> sentences_of_answer(const ReportData& data, const Focus& focus) {
  const PolicyAnswer& answer = data.answers.front();
  std::string first = fmt::format("<strong>{}</strong>", html_text(answer.in_words()));
  std::vector<std::string> others;
  for (const ClassEffect& effect : answer.effects) {
    const std::string measure = html_text(measure_text(effect.measure));
    if (effect.measure == focus.headline) {
      first += fmt::format(" {} takes {} under {} instead of {} under {}, {}{}.", capital(measure),
                           time_text(static_cast<double>(effect.after.count())), html_text(answer.after),
                           time_text(static_cast<double>(effect.before.count())), html_text(answer.before),
                           effect.factor(), worth(effect, data.runs(focus.point, focus.after).size()));
    } else if (answer.call || effect.change != Change::none) {
      others.push_back(fmt::format("{}: {}", measure, effect.factor()));
    }
  }
  if (std::string paid = price(data, focus); !paid.empty()) others.push_back(std::move(paid));
  if (others.empty()) return {first};
  return {first, capital(fmt::format("{}.", fmt::join(others, "; ")))};
}

/// Of a file that keeps none.
std::vector<std::string> no_verdict(const ReportData& data) {
  return {
      fmt::format("<strong>No verdict:</strong> this file has none, as an older mlocksim wrote it. {} --json makes it "
                  "anew.",
                  data.results.command.empty() ? "<code>mlocksim compare</code>"
                                               : fmt::format("<code>{}</code>", html_text(data.results.command)))};
}

/// Of one policy: how far apart its points are, and along which axis most.
std::vector<std::string> sentences_of_one(const ReportData& data, const Focus& focus) {
  const auto ranked = ranked_points(data, focus.before, focus.headline);
  if (ranked.empty()) return {};
  const auto at = [&](std::size_t point) {
    return fmt::format("{} (at {})", mean_html(data, point, focus.before, focus.headline), place(data, point));
  };
  std::vector<std::string> sentences{fmt::format("<strong>Under {},</strong> {} takes from {} to {}{}.",
                                                 html_text(focus.before), html_text(measure_text(focus.headline)),
                                                 at(ranked.front().second), at(ranked.back().second),
                                                 confidence(data, focus.point, focus.before))};
  const std::map<std::size_t, double> values = [&] {
    std::map<std::size_t, double> by_point;
    for (const auto& [value, point] : ranked) by_point[point] = value;
    return by_point;
  }();
  std::string most;
  double widest = 0;
  std::string least;
  double narrowest = 0;
  for (std::size_t axis = 0; axis < data.results.axes.size(); ++axis) {
    double sum = 0;
    int lines = 0;
    for (const Line& line : lines_of(labels_of(data.results.points), axis)) {
      std::vector<double> along;
      for (const std::size_t point : line) {
        if (const auto found = values.find(point); found != values.end() && found->second > 0) {
          along.push_back(found->second);
        }
      }
      if (along.size() < 2) continue;
      const auto [low, high] = std::minmax_element(along.begin(), along.end());
      sum += std::log(*high / *low);
      ++lines;
    }
    if (lines == 0) continue;
    const double mean = sum / lines;
    if (most.empty() || mean > widest) most = data.results.axes[axis], widest = mean;
    if (least.empty() || mean < narrowest) least = data.results.axes[axis], narrowest = mean;
  }
  if (!most.empty()) {
    sentences.push_back(
        fmt::format("It hangs most on {}: with nothing else changed, its longest is {:.3g} times its "
                    "shortest along that axis (geometric mean).",
                    html_text(most), std::exp(widest)));
  }
  if (least != most) {
    sentences.push_back(fmt::format("It hangs least on {}: {:.3g} times.", html_text(least), std::exp(narrowest)));
  }
  return sentences;
}

/// What the verdict has on it; null where it has nothing.
const ClassEffect* judged_effect(const ReportData& data, const std::string& before, const std::string& after,
                                 const Measure& measure) {
  for (const PolicyAnswer& answer : data.answers) {
    if (answer.before != before || answer.after != after) continue;
    for (const ClassEffect& effect : answer.effects) {
      if (effect.measure == measure) return &effect;
    }
  }
  return nullptr;
}

std::vector<std::string> left_out(const ReportData& data, const Focus& focus) {
  std::vector<std::string> sentences;
  const StudyResults& results = data.results;
  if (results.points.size() > 1) {
    const std::size_t others = results.points.size() - 1;
    sentences.push_back(
        fmt::format("Figures of one run or one point are of {}; the other {} in the table and in the figures along "
                    "axes.",
                    place(data, focus.point), others == 1 ? "point is" : fmt::format("{} points are", others)));
  }
  if (data.policies.size() > 2) {
    sentences.push_back(fmt::format("The answer is about two of {} policies; all are in the figures and the table.",
                                    data.policies.size()));
  }
  if (const std::size_t failed = results.count("failed"); failed > 0) {
    sentences.push_back(fmt::format("{} failed and {} not in any number; {} listed below.", counted(failed, "run"),
                                    failed == 1 ? "is" : "are", failed == 1 ? "it is" : "they are"));
  }
  if (const std::size_t missing = results.count("") + results.count("running"); missing > 0) {
    sentences.push_back(fmt::format("{} {} not ended yet: the study is not complete.", counted(missing, "run"),
                                    missing == 1 ? "has" : "have"));
  }
  if (data.runs(focus.point, focus.before).size() < 2) {
    sentences.push_back(
        "With one seed there are no confidence intervals, and only a factor of 1.5 is called a change.");
  }
  if (!data.keeps_distributions) {
    sentences.push_back("Whole distributions were not kept, so there are no percentile curves.");
  }
  sentences.push_back(
      "A percentile with fewer than ten requests beyond it is not given; what the simulator does not model "
      "(distances between NUMA nodes, memory in fragments, more than one device) is in none of it.");
  return sentences;
}

}  // namespace

std::optional<PointEffect> effect_at(const ReportData& data, std::size_t point, const std::string& before,
                                     const std::string& after, const Measure& measure) {
  const PolicyOutcomes* const first = data.results.points[point].policy(before);
  const PolicyOutcomes* const other = data.results.points[point].policy(after);
  if (first == nullptr || other == nullptr) return std::nullopt;
  std::vector<double> of_first;
  std::vector<double> of_other;
  for (const auto& [replication, run] : first->replications) {
    const auto a = first->value(measure, replication);
    const auto b = other->value(measure, replication);
    if (!a || !b || *a <= 0 || *b <= 0) continue;
    of_first.push_back(*a);
    of_other.push_back(*b);
  }
  if (of_first.empty()) return std::nullopt;
  PointEffect effect{.point = point, .before = mean_of(of_first), .after = mean_of(of_other), .interval = {}};
  effect.interval = paired_ratio(of_first, of_other);
  effect.ratio = effect.interval ? effect.interval->mean : effect.after / effect.before;
  const ClassEffect* const judged = judged_effect(data, before, after, measure);
  effect.change = judged != nullptr
                      ? judged->change
                      : change_between(effect.before, effect.after, paired_difference(of_first, of_other));
  return effect;
}

std::vector<PointEffect> effects_of(const ReportData& data, const std::string& before, const std::string& after,
                                    const Measure& measure) {
  std::vector<PointEffect> effects;
  for (std::size_t point = 0; point < data.results.points.size(); ++point) {
    if (const auto effect = effect_at(data, point, before, after, measure)) effects.push_back(*effect);
  }
  return effects;
}

Focus focus_of(const ReportData& data) {
  Focus focus;
  focus.headline = data.measures.empty() ? Measure{"max", "", "total", ""} : data.measures.front();
  focus.measures = data.measures;
  if (!data.answers.empty()) {
    take_answer(data.answers.front(), focus);
    return focus;
  }
  ask(data, focus);
  if (!focus.after.empty()) focus.effects = effects_of(data, focus.before, focus.after, focus.headline);
  focus.point = median_point(data, focus);
  return focus;
}

Answer answer_of(const ReportData& data, const Focus& focus) {
  Answer answer;
  if (focus.after.empty()) {
    answer.sentences = sentences_of_one(data, focus);
  } else if (!data.is_study) {
    answer.sentences = data.answers.empty() ? no_verdict(data) : sentences_of_answer(data, focus);
  } else {
    for (std::string sentence :
         {first_sentence(data, focus), range_sentence(data, focus), others_sentence(data, focus)}) {
      if (!sentence.empty()) answer.sentences.push_back(std::move(sentence));
    }
  }
  answer.not_shown = left_out(data, focus);
  return answer;
}

std::string mean_html(const ReportData& data, std::size_t point, const std::string& policy, const Measure& measure) {
  const PolicyOutcomes* const outcomes = data.results.points[point].policy(policy);
  const std::vector<double> values = outcomes == nullptr ? std::vector<double>{} : outcomes->values(measure);
  if (values.empty()) return "-";
  const std::string query = query_of(data, point, policy, measure);
  const double mean = mean_of(values);
  std::string text = html_number({amount_text(measure, mean), mean, "mean", query});
  const auto interval = mean_interval(values);
  if (!interval) return text;
  const double low = std::max(0.0, interval->low);
  if (amount_text(measure, low) == amount_text(measure, interval->high)) return text;
  return text + fmt::format(" [{}, {}]", html_number({amount_text(measure, low), low, "low", query}),
                            html_number({amount_text(measure, interval->high), interval->high, "high", query}));
}

std::string ratio_html(const ReportData& data, const Focus& focus, const PointEffect& effect, const Measure& measure) {
  const std::string query = query_of_pairs(data, effect.point, focus.before, focus.after, measure);
  std::string text = html_number({factor_text(1, effect.ratio), effect.ratio, "ratio", query});
  if (!effect.interval) return text;
  const auto spell = [&](double ratio) { return spell_factor(effect.ratio < 1 ? 1 / ratio : ratio); };
  const double low = effect.ratio < 1 ? effect.interval->high : effect.interval->low;
  const double high = effect.ratio < 1 ? effect.interval->low : effect.interval->high;
  if (spell(low) == spell(high)) return text;
  const char* const low_name = effect.ratio < 1 ? "ratio-high" : "ratio-low";
  const char* const high_name = effect.ratio < 1 ? "ratio-low" : "ratio-high";
  return text + fmt::format(" [{}, {}]", html_number({spell(low), low, low_name, query}),
                            html_number({spell(high), high, high_name, query}));
}

}  // namespace experiments
