#include "experiments/host/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "experiments/base/statistic_list.h"
#include "models/workload/script_calls.h"

namespace experiments {

namespace {

using models::Phase;
using sim::Histogram;
using Times = std::vector<ComparedTimes>;

ComparedTimes& entry(Times& times, const std::string& name, std::optional<Phase> phase) {
  const auto found = std::find_if(times.begin(), times.end(),
                                  [&](const ComparedTimes& each) { return each.name == name && each.phase == phase; });
  return found != times.end() ? *found : times.emplace_back(ComparedTimes{name, phase});
}

std::uint64_t errors_of(const models::CallRecord& record) {
  std::uint64_t count = 0;
  for (const auto& [error, times] : record.errors) count += times;
  return count;
}

void add(Times& times, const RealResult& real) {
  for (std::size_t sitting = 0; sitting < real.sittings.size(); ++sitting) {
    const auto add_one = [&](ComparedTimes& to, const Histogram& latency) {
      to.real.merge(latency);
      to.by_sitting.resize(real.sittings.size());
      to.by_sitting[sitting].merge(latency);
    };
    for (const RealClass& each : real.sittings[sitting].classes) {
      for (const auto& [phase, latency] : each.during) add_one(entry(times, each.name, phase), latency);
      for (const auto& [name, record] : each.calls) {
        ComparedTimes& call = entry(times, name, std::nullopt);
        add_one(call, record.duration);
        call.real_errors += errors_of(record);
      }
    }
  }
}

// Whether the class was run for real.
bool is_real(const RealResult& real, const std::string& name) {
  return std::any_of(real.sittings.begin(), real.sittings.end(), [&](const Sitting& sitting) {
    return std::any_of(sitting.classes.begin(), sitting.classes.end(),
                       [&](const RealClass& each) { return each.name == name; });
  });
}

void add(Times& times, const RealResult& real, const models::Result& result) {
  for (const models::ClassResult& each : result.classes) {
    if (!is_real(real, each.name)) continue;
    for (const auto& [phase, samples] : each.during) {
      entry(times, each.name, call_of(phase)).simulated.merge(samples.latency());
    }
    if (!each.locker) continue;
    for (const auto& [name, record] : each.calls) {
      if (record.duration.empty()) continue;
      ComparedTimes& call = entry(times, name, std::nullopt);
      call.simulated.merge(record.duration);
      call.simulated_errors += errors_of(record);
    }
  }
}

// Classes first, each with its phases; then calls. What nobody has samples of is left out.
void put_in_order(Times& times) {
  std::erase_if(times, [](const ComparedTimes& each) { return each.real.empty() && each.simulated.empty(); });
  std::stable_partition(times.begin(), times.end(), [](const ComparedTimes& each) { return each.phase.has_value(); });
  std::map<std::string, std::size_t> order;
  for (const ComparedTimes& each : times) order.emplace(each.name, order.size());
  std::stable_sort(times.begin(), times.end(), [&](const ComparedTimes& a, const ComparedTimes& b) {
    if (a.phase.has_value() != b.phase.has_value()) return a.phase.has_value();
    return std::pair(order[a.name], a.phase) < std::pair(order[b.name], b.phase);
  });
}

// --- who waits ---------------------------------------------------------------------------------------------------

double nanoseconds(const Histogram& times) {
  return times.empty() ? 0 : times.mean() * static_cast<double>(times.count());
}

// The lockers' calls of one phase.
struct CallTime {
  double real = 0;
  double simulated = 0;
  std::uint64_t count = 0;  // on the side that has more

  // Short calls are not told from what else happens: nobody's wait for them is judged.
  [[nodiscard]] bool is_long() const {
    constexpr double kShortest = 1e6;
    return count > 0 && std::min(real, simulated) / static_cast<double>(count) >= kShortest;
  }
};

std::map<Phase, CallTime> time_in_calls(const Times& times) {
  std::map<Phase, CallTime> in_calls;
  for (const ComparedTimes& each : times) {
    const auto row = std::find_if(models::kScriptCalls.begin(), models::kScriptCalls.end(),
                                  [&](const models::ScriptCallRow& call) { return call.name == each.name; });
    if (each.phase || row == models::kScriptCalls.end()) continue;
    CallTime& calls = in_calls[row->phase];
    calls.real += nanoseconds(each.real);
    calls.simulated += nanoseconds(each.simulated);
    calls.count += std::max(each.real.count(), each.simulated.count());
  }
  return in_calls;
}

double share(const Histogram& during, const Histogram* idle, double calls, int threads) {
  if (during.empty() || calls <= 0) return 0;
  constexpr double kMedian = 0.5;
  const double usual = idle == nullptr || idle->empty() ? 0 : static_cast<double>(idle->value_at(kMedian).count());
  const double waited = nanoseconds(during) - usual * static_cast<double>(during.count());
  return std::max(0.0, waited) / (calls * threads);
}

std::vector<WaitShare> waits_of(const Times& times, const RealResult& real) {
  std::map<std::string, int> threads;
  for (const RealClass& each : real.sittings.front().classes) threads[each.name] = std::max(1, each.threads);
  const auto in_calls = time_in_calls(times);
  std::vector<WaitShare> waits;
  for (const ComparedTimes& each : times) {
    if (!each.phase || *each.phase == Phase::idle) continue;
    const auto calls = in_calls.find(*each.phase);
    if (calls == in_calls.end() || !calls->second.is_long()) continue;
    const auto idle = std::find_if(times.begin(), times.end(), [&](const ComparedTimes& other) {
      return other.name == each.name && other.phase == Phase::idle;
    });
    const bool has_idle = idle != times.end();
    const int count = threads.contains(each.name) ? threads.at(each.name) : 1;
    waits.push_back({each.name, *each.phase,
                     share(each.real, has_idle ? &idle->real : nullptr, calls->second.real, count),
                     share(each.simulated, has_idle ? &idle->simulated : nullptr, calls->second.simulated, count)});
  }
  return waits;
}

// --- the score ---------------------------------------------------------------------------------------------------

std::optional<double> value_of(const Histogram& times, std::string_view statistic) {
  if (times.empty()) return std::nullopt;
  constexpr double kMedian = 0.5;
  if (statistic == "max" && times.count() < Histogram::samples_needed(kMedian)) return std::nullopt;
  const auto value = find_statistic(statistic)->read(times);
  return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
}

ValidationScore score_of(const Times& times) {
  ValidationScore score;
  std::vector<double> factors;
  const auto within = [&](double ratio, double most) { return std::abs(ratio - 1) <= most ? 1.0 : 0.0; };
  constexpr double kTenth = 0.1;
  constexpr double kQuarter = 0.25;
  constexpr double kHalf = 0.5;
  for (const ComparedTimes& each : times) {
    for (const std::string_view statistic : kComparedStatistics) {
      const auto ratio = ratio_of(each, statistic);
      if (!ratio || *ratio <= 0) continue;
      factors.push_back(std::exp(std::abs(std::log(*ratio))));
      score.within_10 += within(*ratio, kTenth);
      score.within_25 += within(*ratio, kQuarter);
      score.within_50 += within(*ratio, kHalf);
      if (factors.back() < score.worst) continue;
      score.worst = factors.back();
      score.worst_of = each.name + (each.phase ? ", " + std::string(to_string(*each.phase)) : "") + ", " +
                       std::string(find_statistic(statistic)->title);
    }
  }
  score.figures = factors.size();
  if (factors.empty()) return score;
  std::sort(factors.begin(), factors.end());
  score.median = factors[factors.size() / 2];
  for (double* const share : {&score.within_10, &score.within_25, &score.within_50}) {
    *share /= static_cast<double>(factors.size());
  }
  return score;
}

}  // namespace

bool WaitShare::agrees() const {
  constexpr double kWaits = 0.2;
  return (real > kWaits) == (simulated > kWaits);
}

std::optional<double> ratio_of(const ComparedTimes& times, std::string_view statistic) {
  const auto real = value_of(times.real, statistic);
  const auto simulated = value_of(times.simulated, statistic);
  if (!real || !simulated || *real <= 0) return std::nullopt;
  return *simulated / *real;
}

Validation compare_with_real(const RealResult& real, const std::vector<models::Result>& simulated) {
  Validation validation;
  add(validation.times, real);
  for (const models::Result& result : simulated) add(validation.times, real, result);
  put_in_order(validation.times);
  validation.waits = waits_of(validation.times, real);
  validation.score = score_of(validation.times);
  return validation;
}

}  // namespace experiments
