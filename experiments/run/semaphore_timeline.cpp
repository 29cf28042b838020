#include "experiments/run/semaphore_timeline.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "experiments/run/execute.h"
#include "experiments/run/trace_file.h"
#include "models/kernel.h"
#include "models/simulation.h"
#include "models/task.h"

namespace experiments {

namespace {

using models::Cause;
using models::LockOperation;
using models::Rwsem;
using models::Task;

constexpr std::chrono::minutes kPatience{5};

/// Looks on, and keeps what lies in a window.
class Recorder {
 public:
  explicit Recorder(TimeWindow window) : window_(window) {}

  models::Observer observer() {
    models::Observer observer;
    observer.cause = [this](const Task& task, Cause cause, sim::Time at) { on_cause(task, cause, at); };
    observer.lock = [this](const Task& task, LockOperation operation, const Rwsem& rwsem) {
      on_lock(task, operation, rwsem);
    };
    return observer;
  }

  /// The bars of the semaphore that the task has most to do with.
  std::vector<SemaphoreBar> finish(sim::Time end, const std::string& task) {
    for (auto& [each, state] : tasks_) {
      if (state.holds) add(*state.holds, end);
      // Whoever still waits waits for the semaphore it has always taken.
      if (state.waits && state.last != nullptr) add({state.last, *state.waits}, end);
    }
    std::map<const Rwsem*, std::int64_t> time;
    for (const Entry& entry : entries_) {
      if (entry.bar.task == task) time[entry.rwsem] += entry.bar.to - entry.bar.from;
    }
    const auto most = std::max_element(time.begin(), time.end(), [](auto& a, auto& b) { return a.second < b.second; });
    std::vector<SemaphoreBar> bars;
    for (const Entry& entry : entries_) {
      if (most != time.end() && entry.rwsem == most->first) bars.push_back(entry.bar);
    }
    std::sort(bars.begin(), bars.end(), [](const SemaphoreBar& a, const SemaphoreBar& b) {
      return std::tie(a.task, a.from, a.to) < std::tie(b.task, b.from, b.to);
    });
    return bars;
  }

 private:
  struct Entry {
    const Rwsem* rwsem;
    SemaphoreBar bar;
  };
  struct State {
    std::optional<SemaphoreBar> waits{};
    std::optional<Entry> holds{};
    const Rwsem* last = nullptr;
  };

  static std::int64_t count_of(sim::Time time) { return time.time_since_epoch().count(); }
  static std::string phase_of(const Task& task) { return std::string(to_string(task.phase())); }

  void on_cause(const Task& task, Cause cause, sim::Time at) {
    State& state = tasks_[&task];
    // Who sleeps has given up or never waited for the semaphore: a VMA's lock is waited for, too.
    if (cause == Cause::sleep) state.waits.reset();
    if (cause != Cause::lock_wait || state.holds || state.waits) return;
    state.waits = SemaphoreBar{task.name(), SemaphoreState::waits, count_of(at), 0, phase_of(task)};
  }

  void on_lock(const Task& task, LockOperation operation, const Rwsem& rwsem) {
    State& state = tasks_[&task];
    const sim::Time now = task.now();
    const bool takes = operation == LockOperation::down_read || operation == LockOperation::down_write;
    if (takes && state.waits) add({&rwsem, *state.waits}, now);
    state.waits.reset();
    state.last = &rwsem;
    if (!takes && state.holds) add(*std::exchange(state.holds, std::nullopt), now);
    if (operation == LockOperation::up_read || operation == LockOperation::up_write) return;
    const auto mode = operation == LockOperation::down_write ? SemaphoreState::writes : SemaphoreState::reads;
    state.holds = Entry{&rwsem, {task.name(), mode, count_of(now), 0, phase_of(task)}};
  }

  void add(Entry entry, sim::Time end) {
    entry.bar.from = std::max(entry.bar.from, count_of(window_.from));
    entry.bar.to = std::min(count_of(end), count_of(window_.to));
    if (entry.bar.from < entry.bar.to) entries_.push_back(std::move(entry));
  }

  TimeWindow window_;
  std::unordered_map<const Task*, State> tasks_;
  std::vector<Entry> entries_;
};

const models::WorstRequest* worst_of(const models::Result& result) {
  const models::WorstRequest* worst = nullptr;
  for (const models::ClassResult& each : result.classes) {
    for (const models::WorstRequest& request : each.worst) {
      if (worst == nullptr || request.latency > worst->latency) worst = &request;
    }
  }
  return worst;
}

ProcessPool::Bytes record(const models::Scenario& scenario, TimeWindow window, const std::string& task) {
  Recorder recorder(window);
  const models::Result result = models::simulate(scenario, scenario.policies.front(), {}, recorder.observer());
  Json bars = Json::array();
  for (const SemaphoreBar& bar : recorder.finish(sim::Time{result.sim_time}, task)) {
    bars.push_back({bar.task, static_cast<int>(bar.state), bar.from, bar.to, bar.call});
  }
  return Json::to_cbor(bars);
}

std::vector<SemaphoreBar> bars_of(const ProcessPool::Bytes& bytes) {
  std::vector<SemaphoreBar> bars;
  for (const Json& each : Json::from_cbor(bytes)) {
    bars.push_back({each[0].get<std::string>(), static_cast<SemaphoreState>(each[1].get<int>()),
                    each[2].get<std::int64_t>(), each[3].get<std::int64_t>(), each[4].get<std::string>()});
  }
  return bars;
}

}  // namespace

std::variant<SemaphoreTimeline, std::string> semaphore_timeline(const models::Scenario& scenario,
                                                                const Json& expected) {
  const Job job{&scenario, &scenario.policies.front(), scenario.seed};
  const JobOutcome outcome = execute({job}, 1, {}, [](std::size_t) {}).front();
  if (const auto* failure = std::get_if<Failure>(&outcome)) return "the run failed when repeated: " + failure->reason;
  const auto& result = std::get<models::Result>(outcome);
  if (result_text(result) != expected.dump()) {
    return std::string("the run no longer gives what was stored: its files or the program have changed since");
  }
  const models::WorstRequest* const worst = worst_of(result);
  if (worst == nullptr) return std::string("nobody made a request");
  const TimeWindow window = windows_around_worst(result, 1).front();
  ProcessPool pool(1, kPatience);
  pool.start(0, [&] { return record(scenario, window, worst->task); });
  std::vector<ProcessPool::Finished> finished;
  while (finished.empty()) finished = pool.wait();
  if (const auto* failure = std::get_if<Failure>(&finished.front().outcome)) {
    return "the run failed when looked at: " + failure->reason;
  }
  SemaphoreTimeline timeline;
  timeline.worst_task = worst->task;
  timeline.worst_phase = std::string(to_string(worst->phase));
  timeline.worst_due = worst->due.time_since_epoch().count();
  timeline.worst_latency = worst->latency.count();
  timeline.from = window.from.time_since_epoch().count();
  timeline.to = window.to.time_since_epoch().count();
  timeline.bars = bars_of(std::get<ProcessPool::Bytes>(finished.front().outcome));
  return timeline;
}

std::vector<SemaphoreBar> without_slivers(const std::vector<SemaphoreBar>& bars, std::int64_t gap) {
  std::vector<SemaphoreBar> joined;
  std::map<std::pair<std::string, SemaphoreState>, std::size_t> last;
  for (const SemaphoreBar& bar : bars) {
    const auto found = last.find({bar.task, bar.state});
    const bool sliver = bar.to - bar.from < gap;
    if (found != last.end()) {
      SemaphoreBar& before = joined[found->second];
      if (bar.from - before.to < gap && (sliver || before.to - before.from < gap || bar.from == before.to)) {
        before.to = std::max(before.to, bar.to);
        continue;
      }
    }
    last[{bar.task, bar.state}] = joined.size();
    joined.push_back(bar);
  }
  return joined;
}

}  // namespace experiments
