#include "experiments/compare/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <map>

#include "experiments/base/judgement.h"
#include "experiments/base/quantity.h"
#include "experiments/base/statistic_list.h"
#include "experiments/base/terminal.h"
#include "experiments/run/result_json.h"

namespace experiments {

namespace {

constexpr std::size_t kCallWidth = 10;
constexpr std::size_t kCellWidth = 9;

models::Samples samples_of(const models::Result& result, const Row& row) {
  const models::ClassResult* const found = result.find_class(row.class_name);
  return found == nullptr ? models::Samples{} : found->during_call(row.call);
}

std::string cell(const std::optional<sim::Nanoseconds>& value) { return value ? human(*value) : "-"; }

std::size_t class_width(const Comparison& comparison) {
  std::size_t width = 15;
  for (const Row& row : comparison.rows()) width = std::max(width, row.class_name.size());
  return width;
}

std::size_t label_width(const Comparison& comparison) { return class_width(comparison) + 1 + kCallWidth; }

std::string label(const Comparison& comparison, std::string_view name, std::string_view call) {
  return fmt::format("{:<{}} {:<{}}", name, class_width(comparison), call, kCallWidth);
}

std::string label(const Comparison& comparison, const Row& row) {
  return label(comparison, row.class_name, to_string(row.call));
}

// The cells of one policy: as wide as they need, or as its name does.
std::size_t group_width(const Comparison& comparison, std::size_t policy) {
  return std::max(kCellWidth * (all_statistics().size() + 1), comparison.policy(policy).name.size());
}

std::string cells(const models::Samples& samples) {
  const sim::Histogram& latency = samples.latency();
  std::string line = fmt::format("{:>{}}", latency.count(), kCellWidth);
  for (const Statistic& statistic : all_statistics()) {
    line += fmt::format("{:>{}}", cell(statistic.of(latency)), kCellWidth);
  }
  return line;
}

std::string headings() {
  std::string line = fmt::format("{:>{}}", "n", kCellWidth);
  for (const Statistic& statistic : all_statistics()) line += fmt::format("{:>{}}", statistic.name, kCellWidth);
  return line;
}

// All policies side by side, in lines as long as it takes.
std::string side_by_side(const Comparison& comparison) {
  std::string text = label(comparison, "", "");
  std::string second = label(comparison, "class", "during");
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    const std::size_t width = group_width(comparison, policy);
    text += fmt::format(" | {:<{}}", comparison.policy(policy).name, width);
    second += fmt::format(" | {:<{}}", headings(), width);
  }
  text += "\n" + second + "\n" + std::string(second.size(), '-') + "\n";
  const std::string* previous = nullptr;
  for (const Row& row : comparison.rows()) {
    if (previous != nullptr && *previous != row.class_name) text += "\n";
    previous = &row.class_name;
    text += label(comparison, row);
    for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
      text += fmt::format(" | {:<{}}", cells(comparison.pooled(policy, row)), group_width(comparison, policy));
    }
    text += "\n";
  }
  return text;
}

// Below each other: for each class and call a line for each policy.
std::string below_each_other(const Comparison& comparison) {
  std::size_t name_width = 12;
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    name_width = std::max(name_width, comparison.policy(policy).name.size());
  }
  const std::string first = fmt::format("{:<{}}", "class, during", name_width + 2) + headings();
  std::string text = first + "\n" + std::string(first.size(), '-') + "\n";
  for (const Row& row : comparison.rows()) {
    text += fmt::format("{}, {}\n", row.class_name, to_string(row.call));
    for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
      text += fmt::format("  {:<{}}{}\n", comparison.policy(policy).name, name_width,
                          cells(comparison.pooled(policy, row)));
    }
  }
  return text;
}

struct Share {
  std::string what;
  sim::Nanoseconds time;
};

// The causes of `blame`, the largest first; waits for the lock by who held it.
std::vector<Share> shares(const models::Blame& blame, const std::vector<std::string>& classes) {
  std::vector<Share> all;
  for (std::size_t cause = 0; cause < models::kCauseCount; ++cause) {
    if (static_cast<models::Cause>(cause) == models::Cause::lock_wait) continue;
    all.push_back({std::string(to_string(static_cast<models::Cause>(cause))), blame.causes[cause]});
  }
  for (const auto& [lock, wait] : blame.lock_waits) {
    all.push_back({fmt::format("waiting for {} ({})", to_string(lock.lock), to_text(lock, classes)), wait});
  }
  std::stable_sort(all.begin(), all.end(), [](const Share& a, const Share& b) { return a.time > b.time; });
  return all;
}

sim::Nanoseconds total(const models::Blame& blame) {
  sim::Nanoseconds sum{};
  for (const sim::Nanoseconds time : blame.causes) sum += time;
  return sum;
}

double percent(sim::Nanoseconds part, sim::Nanoseconds whole) {
  return 100 * static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

std::string explain_tail(const models::Samples& samples, const std::vector<std::string>& classes) {
  const models::Blame tail = samples.blame_from(samples.tail_start());
  const sim::Nanoseconds whole = total(tail);
  std::string text;
  for (const Share& share : shares(tail, classes)) {
    if (percent(share.time, whole) < 100 * judgement::kWorthNaming) break;
    text += fmt::format("{}{:.0f} % {}", text.empty() ? "" : ", ", percent(share.time, whole), share.what);
  }
  return text;
}

// One explanation, and the tails of the policies that share it.
struct Explained {
  std::string why;
  std::string tails;
};

void add(std::vector<Explained>& explained, const std::string& tail, const std::string& why) {
  const auto known =
      std::find_if(explained.begin(), explained.end(), [&](const Explained& each) { return each.why == why; });
  if (known == explained.end()) {
    explained.push_back({why, tail});
  } else {
    known->tails += ", " + tail;
  }
}

// A stall under one of two policies that the other one does not have, and that too few requests meet for a percentile:
// a closed loop is one of them, however long it waits.
bool hides_a_stall(const Statistic& percentile, const sim::Histogram& one, const sim::Histogram& other) {
  const auto [shorter, longer] = std::minmax({one.max(), other.max()});
  const auto shown = std::max(percentile.of(one), percentile.of(other));
  return longer >= judgement::kStall && longer >= judgement::kStallBeyond * std::max(shorter, *shown);
}

// Worth a line: the slowest take far longer than work alone explains.
bool mostly_waits(const models::Samples& samples) {
  const models::Blame tail = samples.blame_from(samples.tail_start());
  const sim::Nanoseconds busy = tail.causes[static_cast<std::size_t>(models::Cause::cpu)];
  return total(tail) > judgement::kMostlyWaits * busy;
}

}  // namespace

std::optional<sim::Nanoseconds> Statistic::of(const sim::Histogram& histogram) const {
  if (quantile) return histogram.percentile(*quantile);
  return histogram.empty() ? std::nullopt : std::optional(histogram.max());
}

const std::vector<Statistic>& all_statistics() {
  static const std::vector<Statistic> statistics = [] {
    std::vector<Statistic> shown;
    for (const char* const name : {"p50", "p99", "p999", "max"}) {
      const NamedStatistic& statistic = *find_statistic(name);
      shown.push_back({std::string(statistic.title),
                       statistic.is_percentile() ? std::optional(statistic.quantile) : std::nullopt,
                       std::string(statistic.name)});
    }
    return shown;
  }();
  return statistics;
}

Comparison::Comparison(models::Scenario scenario, std::vector<std::vector<models::Result>> results)
    : scenario_(std::move(scenario)), results_(std::move(results)), pooled_(results_.size()) {
  assert(!results_.empty() && results_.size() == scenario_.policies.size());
  std::vector<Row> candidates;
  for (const models::ClassResult& each : results_.front().front().classes) {
    for (std::size_t phase = 0; phase < models::kPhaseCount; ++phase) {
      const auto call = static_cast<models::Phase>(phase);
      if (call_of(call) == call) candidates.push_back({each.name, call});
    }
  }
  for (const Row& row : candidates) {
    bool any = false;
    for (std::size_t policy = 0; policy < results_.size(); ++policy) {
      models::Samples& all = pooled_[policy][row];
      for (const models::Result& result : results_[policy]) all.merge(samples_of(result, row));
      any = any || !all.latency().empty();
    }
    if (any) rows_.push_back(row);
  }
}

const models::Samples& Comparison::pooled(std::size_t policy, const Row& row) const {
  static const models::Samples none;
  const auto found = pooled_[policy].find(row);
  return found == pooled_[policy].end() ? none : found->second;
}

const Statistic& Comparison::best_statistic(const Row& row, std::size_t policy, std::size_t other) const {
  const auto& statistics = all_statistics();
  const auto can_tell = [&](const Statistic& statistic, std::size_t which) {
    return std::all_of(results_[which].begin(), results_[which].end(), [&](const models::Result& result) {
      return statistic.of(samples_of(result, row).latency()).has_value();
    });
  };
  const auto both_can_tell = [&](const Statistic& statistic) {
    return statistic.quantile && can_tell(statistic, policy) && can_tell(statistic, other);
  };
  const auto found = std::find_if(statistics.rbegin(), statistics.rend(), both_can_tell);
  if (found == statistics.rend() || found->quantile < judgement::kLeastOfTheTail) return statistics.back();
  return hides_a_stall(*found, pooled(policy, row).latency(), pooled(other, row).latency()) ? statistics.back()
                                                                                            : *found;
}

std::optional<Interval> Comparison::difference(const Row& row, const Statistic& statistic, std::size_t policy,
                                               std::size_t other) const {
  std::vector<double> before;
  std::vector<double> after;
  for (std::size_t replication = 0; replication < replications(); ++replication) {
    const auto a = statistic.of(samples_of(results_[policy][replication], row).latency());
    const auto b = statistic.of(samples_of(results_[other][replication], row).latency());
    if (!a || !b) continue;
    before.push_back(static_cast<double>(a->count()));
    after.push_back(static_cast<double>(b->count()));
  }
  return paired_difference(before, after);
}

std::string table(const Comparison& comparison, std::size_t width) {
  std::size_t wide = label_width(comparison);
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) wide += 3 + group_width(comparison, policy);
  return wide <= width ? side_by_side(comparison) : below_each_other(comparison);
}

std::string blame_lines(const Comparison& comparison) {
  std::string text;
  for (const Row& row : comparison.rows()) {
    std::vector<Explained> explained;
    for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
      const models::Samples& samples = comparison.pooled(policy, row);
      if (samples.latency().empty() || !mostly_waits(samples)) continue;
      const std::string tail = fmt::format("{} from {}", comparison.policy(policy).name, human(samples.tail_start()));
      add(explained, tail, explain_tail(samples, comparison.results(policy).front().class_names()));
    }
    for (std::size_t line = 0; line < explained.size(); ++line) {
      const std::string behind = label(comparison, "", "") + " ";
      const std::string indent = behind + "   ";
      text += fmt::format("{} {}{}{}", line == 0 ? label(comparison, row) : label(comparison, "", ""),
                          wrapped(explained[line].tails, line_width(), behind.size()), indent,
                          wrapped(explained[line].why, page_width(), indent.size()));
    }
  }
  return text;
}

std::string difference_table(const Comparison& comparison) {
  if (comparison.replications() < 2) return "";
  std::string text;
  for (const Row& row : comparison.rows()) {
    for (std::size_t policy = 1; policy < comparison.policies(); ++policy) {
      const Statistic& statistic = comparison.best_statistic(row, 0, policy);
      const auto interval = comparison.difference(row, statistic, 0, policy);
      if (!interval) continue;
      using Time = std::chrono::duration<double, std::nano>;
      text += fmt::format("{} {:<6} {:<18} {:>9}  [{:>9}, {:>9}]{}\n", label(comparison, row), statistic.name,
                          comparison.policy(policy).name, human(Time(interval->mean)), human(Time(interval->low)),
                          human(Time(interval->high)), shows_difference(*interval) ? "" : "  no difference shown");
    }
  }
  return text;
}

}  // namespace experiments
