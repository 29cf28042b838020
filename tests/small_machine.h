// A kernel with tasks written by hand, for tests of the parts that lie between the engine and a whole scenario.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "models/kernel.h"
#include "models/mm.h"
#include "models/task.h"
#include "models/vmscan.h"

namespace tests {

inline sim::Time at(std::int64_t nanoseconds) { return sim::Time{sim::Nanoseconds{nanoseconds}}; }

inline constexpr std::int64_t kMiB = std::int64_t{1} << 20U;
inline constexpr std::int64_t kGiB = std::int64_t{1} << 30U;

/// All costs are zero, no CPU is short and no memory scarce, unless a test says otherwise.
struct SmallMachineSpec {
  int cpus = 8;
  models::SchedulerCosts scheduler{std::chrono::milliseconds{1}, {}, {}};
  models::Costs costs{};
  models::Policy policy{};
  models::MemorySpec memory{models::Bytes(4 * kGiB), models::Bytes(4 * kMiB), models::Bytes(4 * kGiB), 0, {}};
  bool stepwise = false;
  bool with_kswapd = false;
  std::uint64_t seed = 1;
};

/// Tasks are numbered from 0 in the order in which they are added; that is their class, too.
class SmallMachine {
 public:
  explicit SmallMachine(SmallMachineSpec settings = {})
      : spec(std::move(settings)),
        engine({spec.stepwise, {}}),
        kernel{engine,
               spec.costs,
               spec.policy,
               models::Cpus(engine, spec.cpus, spec.scheduler),
               models::Zone(spec.memory),
               spec.memory.dirty},
        mm("db", spec.costs, spec.policy.rwsem) {
    if (spec.with_kswapd) {
      kernel.kswapd = &tasks.emplace_back(kernel, "kswapd", -1, spec.seed, [this] { models::kswapd(*kernel.kswapd); });
    }
  }

  models::Task& add(const std::function<void(models::Task&)>& body) {
    auto self = std::make_shared<models::Task*>(nullptr);
    const auto number = next_class_++;
    *self = &tasks.emplace_back(kernel, "task." + std::to_string(number), number, spec.seed,
                                [self, body] { body(**self); });
    return **self;
  }

  /// Adds a task that does nothing before `when` and has no wake-up to pay for then.
  models::Task& add_at(std::int64_t when, const std::function<void(models::Task&)>& body) {
    return add([this, when, body](models::Task& task) {
      task.sleep_until(at(when) - spec.scheduler.wake_up_latency);
      body(task);
    });
  }

  void run() { engine.run(); }
  [[nodiscard]] sim::Time now() const { return engine.now(); }

  /// What `task` has spent on `cause` so far.
  [[nodiscard]] sim::Nanoseconds spent(const models::Task& task, models::Cause cause) const {
    return task.ledger().read(now())[static_cast<std::size_t>(cause)];
  }

  const SmallMachineSpec spec;
  sim::Engine engine;
  models::Kernel kernel;
  models::Mm mm;
  std::deque<models::Task> tasks;

 private:
  models::ClassId next_class_ = 0;
};

}  // namespace tests
