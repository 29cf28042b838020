#include "experiments/explain/class_change.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "experiments/base/judgement.h"

namespace experiments {

namespace {

using models::ClassResult;
using models::Result;
using sim::Nanoseconds;
using Results = std::vector<Result>;

std::vector<sim::Histogram> latencies_of(const Results& results, const std::string& name) {
  std::vector<sim::Histogram> latencies;
  for (const Result& result : results) {
    const ClassResult* const found = result.find_class(name);
    latencies.push_back(found == nullptr ? sim::Histogram{} : found->total().latency());
  }
  return latencies;
}

std::vector<double> values_of(const std::vector<sim::Histogram>& latencies, const Statistic& statistic) {
  std::vector<double> values;
  for (const sim::Histogram& latency : latencies) {
    if (const auto value = statistic.of(latency)) values.push_back(static_cast<double>(value->count()));
  }
  return values;
}

/// The highest of the tail that every replication can tell, on both sides.
const Statistic& best_statistic(const std::vector<sim::Histogram>& before, const std::vector<sim::Histogram>& after) {
  const auto& statistics = all_statistics();
  const auto all_can_tell = [](const std::vector<sim::Histogram>& latencies, const Statistic& statistic) {
    return values_of(latencies, statistic).size() == latencies.size();
  };
  const auto found = std::find_if(statistics.rbegin(), statistics.rend(), [&](const Statistic& statistic) {
    return statistic.quantile >= judgement::kLeastOfTheTail && all_can_tell(before, statistic) &&
           all_can_tell(after, statistic);
  });
  return found == statistics.rend() ? statistics.back() : *found;
}

/// Where something comes of nothing, or nothing is left of it.
double ratio_of_means(const std::vector<double>& before, const std::vector<double>& after) {
  if (mean_of(before) > 0) return mean_of(after) / mean_of(before);
  return mean_of(after) > 0 ? std::numeric_limits<double>::infinity() : 1;
}

double ratio_of(const std::vector<double>& before, const std::vector<double>& after) {
  double logarithms = 0;
  for (std::size_t each = 0; each < before.size(); ++each) {
    if (before[each] <= 0 || after[each] <= 0) return ratio_of_means(before, after);
    logarithms += std::log(after[each] / before[each]);
  }
  return std::exp(logarithms / static_cast<double>(before.size()));
}

/// Nothing where one of them has no value for a replication.
std::optional<ClassChange> change_of(const std::string& class_name, const Statistic& statistic,
                                     const std::vector<double>& before, const std::vector<double>& after,
                                     Loss loss = Loss::tail) {
  if (before.empty() || before.size() != after.size()) return std::nullopt;
  return ClassChange{
      class_name, statistic, mean_of(before), mean_of(after), ratio_of(before, after), paired_difference(before, after),
      loss};
}

const Statistic& statistic_of(Loss loss) {
  static const Statistic longest{"longest", std::nullopt};
  static const Statistic lost{"lost", std::nullopt};
  return loss == Loss::longest ? longest : lost;
}

Nanoseconds sum_of(const models::TimeByCause& time) {
  Nanoseconds sum{};
  for (const Nanoseconds each : time) sum += each;
  return sum;
}

/// What part of its time a class waits for locks.
double lost_share(const Result& result, const std::string& name) {
  const ClassResult* const found = result.find_class(name);
  if (found == nullptr) return 0;
  const Nanoseconds all = sum_of(found->time);
  const Nanoseconds lost = found->time[static_cast<std::size_t>(models::Cause::lock_wait)];
  return all == Nanoseconds{0} ? 0 : static_cast<double>(lost.count()) / static_cast<double>(all.count());
}

/// In nanoseconds. `longest`: of all replications, as one sample is enough to have seen it; `lost`: of each.
std::vector<double> losses_of(Loss loss, const Results& results, const std::string& name) {
  std::vector<double> values;
  if (loss == Loss::longest) {
    const auto shorter = [&](const Result& a, const Result& b) { return longest_of(a, name) < longest_of(b, name); };
    const auto longest = std::max_element(results.begin(), results.end(), shorter);
    if (longest != results.end() && longest->find_class(name) != nullptr) {
      values.push_back(static_cast<double>(longest_of(*longest, name).count()));
    }
    return values;
  }
  for (const Result& result : results) {
    if (result.find_class(name) == nullptr) continue;
    values.push_back(lost_share(result, name) * static_cast<double>(result.sim_time.count()));
  }
  return values;
}

/// See suffering().
std::optional<ClassChange> far_from_alone(const Results& alone, const Results& together, const std::string& name) {
  const std::vector<sim::Histogram> latencies = latencies_of(together, name);
  const std::vector<sim::Histogram> alone_latencies = latencies_of(alone, name);
  const Statistic& statistic = best_statistic(latencies, latencies);
  std::vector<double> before = values_of(alone_latencies, statistic);
  if (before.size() != alone_latencies.size()) before = values_of(alone_latencies, all_statistics().back());
  return change_of(name, statistic, before, values_of(latencies, statistic));
}

bool is_stall(const Result& alone, const Result& together, const std::string& name) {
  const Nanoseconds longest = longest_of(together, name);
  const auto far = std::llround(judgement::kFarAbove * static_cast<double>(longest_of(alone, name).count()));
  const ClassResult* const found = together.find_class(name);
  const sim::Histogram latency = found == nullptr ? sim::Histogram{} : found->total().latency();
  const Nanoseconds usual = latency.empty() ? Nanoseconds{0} : latency.value_at(0.5);
  return longest >= judgement::kStall && longest >= judgement::kStallOfMedians * usual && longest.count() >= far;
}

/// What the calls of that kind take: the longest, and the median; 0 where none has returned.
struct Usual {
  Nanoseconds longest{};
  Nanoseconds median{};
};

Usual calls_of(const ClassResult& each, models::Phase call) {
  const auto found = each.calls.find(std::string(to_string(call)));
  if (found == each.calls.end() || found->second.duration.empty()) return {};
  return {found->second.duration.max(), found->second.duration.value_at(0.5)};
}

/// Whether a wait made a call so much longer, or is far from what a call of that kind takes.
bool is_stalled(const Result& result, const std::string& name) {
  const ClassResult* const found = result.find_class(name);
  if (found == nullptr) return false;
  const models::ClassId id = class_id_of(result, name);
  const auto stalls = [&](const auto& entry) {
    const auto& [asker, waits] = entry;
    const Nanoseconds wait = waits.longest();
    if (asker.asker != id || wait < judgement::kStall) return false;
    const Usual usual = calls_of(*found, call_of(asker.phase));
    const Nanoseconds rest = std::max(usual.longest - wait, Nanoseconds{0});
    return static_cast<double>((wait + rest).count()) >= judgement::kFarAbove * static_cast<double>(rest.count()) ||
           wait >= judgement::kStallOfMedians * usual.median;
  };
  return std::any_of(result.locks.begin(), result.locks.end(), [&](const models::LockResult& lock) {
    return std::any_of(lock.statistics.asked.begin(), lock.statistics.asked.end(), stalls);
  });
}

double mean_share(const Results& results, const std::string& name) {
  std::vector<double> shares;
  for (const Result& result : results) shares.push_back(lost_share(result, name));
  return mean_of(shares);
}

}  // namespace

models::ClassId class_id_of(const Result& result, const std::string& class_name) {
  const ClassResult* const found = result.find_class(class_name);
  return found == nullptr ? -1 : static_cast<models::ClassId>(found - result.classes.data());
}

std::string_view meaning_of(Loss loss) {
  switch (loss) {
    case Loss::tail:
      return "a percentile, or the maximum where there are too few requests for one";
    case Loss::longest:
      return "the longest request of all, or the longest wait for a lock of those who make none";
    case Loss::lost:
      break;
  }
  return "what each thread waits for locks, in the whole run";
}

std::optional<ClassChange> tail_change(const Results& before, const Results& after, const std::string& class_name) {
  const std::vector<sim::Histogram> latencies_before = latencies_of(before, class_name);
  const std::vector<sim::Histogram> latencies_after = latencies_of(after, class_name);
  const Statistic& statistic = best_statistic(latencies_before, latencies_after);
  return change_of(class_name, statistic, values_of(latencies_before, statistic),
                   values_of(latencies_after, statistic));
}

std::optional<ClassChange> change_by(Loss loss, const Results& before, const Results& after,
                                     const std::string& class_name) {
  if (loss == Loss::tail) return tail_change(before, after, class_name);
  return change_of(class_name, statistic_of(loss), losses_of(loss, before, class_name),
                   losses_of(loss, after, class_name), loss);
}

Nanoseconds longest_of(const Result& result, const std::string& class_name) {
  const ClassResult* const found = result.find_class(class_name);
  if (found == nullptr) return {};
  if (const Nanoseconds request = found->longest(); request > Nanoseconds{0}) return request;
  const models::ClassId id = class_id_of(result, class_name);
  Nanoseconds longest{};
  for (const models::LockResult& lock : result.locks) {
    for (const auto& [asker, waits] : lock.statistics.asked) {
      if (asker.asker == id) longest = std::max(longest, waits.longest());
    }
  }
  return longest;
}

std::optional<ClassChange> suffering(const Results& alone, const Results& together, const std::string& class_name) {
  auto far = far_from_alone(alone, together, class_name);
  const auto longest = change_by(Loss::longest, alone, together, class_name);
  if (far && !far->statistic.quantile) far = longest;
  const bool suffers = far && far->ratio >= judgement::kFarAbove && far->kind() == Change::longer;
  bool stalls = false;
  for (std::size_t each = 0; each < std::min(alone.size(), together.size()); ++each) {
    stalls = stalls || is_stall(alone[each], together[each], class_name);
  }
  // Of a tail that is somewhat long and a stall the stall is what somebody came for.
  if (stalls && longest && (!suffers || longest->ratio >= judgement::kFarAbove * far->ratio)) return longest;
  if (suffers) return far;
  const double more = mean_share(together, class_name) - mean_share(alone, class_name);
  return more >= judgement::kWorthNaming ? change_by(Loss::lost, alone, together, class_name) : std::nullopt;
}

std::optional<ClassChange> suffering(const Results& together, const std::string& class_name) {
  const auto from_nothing = [&](Loss loss) {
    const std::vector<double> values = losses_of(loss, together, class_name);
    return change_of(class_name, statistic_of(loss), std::vector<double>(values.size()), values, loss);
  };
  const auto stalled = [&](const Result& result) { return is_stalled(result, class_name); };
  if (std::any_of(together.begin(), together.end(), stalled)) return from_nothing(Loss::longest);
  return mean_share(together, class_name) >= judgement::kWorthNaming ? from_nothing(Loss::lost) : std::nullopt;
}

}  // namespace experiments
