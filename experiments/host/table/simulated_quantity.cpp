#include "experiments/host/table/simulated_quantity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "experiments/compare/expectation_check.h"
#include "experiments/scenario/expectation.h"
#include "experiments/scenario/scenario_threads.h"

namespace experiments {

namespace {

using QuantityKind = SimulatedQuantity::Kind;

struct QuantityName {
  std::string_view name;
  QuantityKind kind;
  std::optional<models::LockMode> mode;
};

constexpr std::array<QuantityName, 9> kLockQuantities{
    {{"wait", QuantityKind::wait, {}},
     {"wait.read", QuantityKind::wait, models::LockMode::read},
     {"wait.write", QuantityKind::wait, models::LockMode::write},
     {"contended", QuantityKind::contended, {}},
     {"contended.read", QuantityKind::contended, models::LockMode::read},
     {"contended.write", QuantityKind::contended, models::LockMode::write},
     {"hold", QuantityKind::hold, {}},
     {"hold.read", QuantityKind::hold, models::LockMode::read},
     {"hold.write", QuantityKind::hold, models::LockMode::write}}};

void add_many(sim::Histogram& to, sim::Nanoseconds value, std::uint64_t count) {
  // By doubling: there may be millions that did not wait.
  sim::Histogram some;
  some.record(value);
  for (; count > 0; count /= 2) {
    if (count % 2 == 1) to.merge(some);
    some.merge(sim::Histogram(some));
  }
}

void add_waits(sim::Histogram& to, const models::RwsemStatistics& statistics, const SimulatedQuantity& quantity) {
  for (const auto& [asker, waits] : statistics.asked) {
    if (quantity.mode && asker.mode != *quantity.mode) continue;
    to.merge(waits.wait);
    if (quantity.kind == QuantityKind::wait) add_many(to, sim::Nanoseconds{0}, waits.acquisitions - waits.contended());
  }
}

void add_holds(sim::Histogram& to, const models::RwsemStatistics& statistics, const SimulatedQuantity& quantity) {
  for (const auto& [holds, lengths] : statistics.hold) {
    if (!quantity.mode || holds.mode == *quantity.mode) to.merge(lengths);
  }
}

}  // namespace

Expected<SimulatedQuantity> parse_simulated_quantity(const std::string& text, const models::Scenario& scenario) {
  const std::size_t dot = text.find('.');
  const std::string name = text.substr(0, dot);
  const auto known = std::find_if(kLockQuantities.begin(), kLockQuantities.end(),
                                  [&](const QuantityName& each) { return each.name == text; });
  const bool is_class = thread_named(scenario, name) != nullptr;
  if (known != kLockQuantities.end() && !is_class) return SimulatedQuantity{known->kind, known->mode, {}, text};
  const Measure measure{"max", name, dot == std::string::npos ? "total" : text.substr(dot + 1), {}};
  const std::string mistake = mistake_in(measure, scenario, {});
  if (mistake.empty()) return SimulatedQuantity{QuantityKind::latency, {}, measure, text};
  return Refusal{fmt::format(
      "expected wait, contended or hold, with .read or .write or without, or CLASS, CLASS.PHASE or LOCKER.CALL of the "
      "scenario, found '{}': {}",
      text, mistake)};
}

sim::Histogram simulated_histogram(const SimulatedQuantity& quantity, const std::vector<models::Result>& results) {
  sim::Histogram histogram;
  for (const models::Result& result : results) {
    if (quantity.kind == QuantityKind::latency) {
      histogram.merge(latency_of(result, quantity.measure));
      continue;
    }
    for (const models::LockResult& lock : result.locks) {
      if (!lock.mutex.empty()) continue;
      if (quantity.kind == QuantityKind::hold) {
        add_holds(histogram, lock.statistics, quantity);
      } else {
        add_waits(histogram, lock.statistics, quantity);
      }
    }
  }
  return histogram;
}

std::string describe(const SimulatedQuantity& quantity) {
  const std::string mode = quantity.mode ? fmt::format(" in {} mode", to_string(*quantity.mode)) : "";
  switch (quantity.kind) {
    case QuantityKind::wait:
      return fmt::format("waits for mmap_lock{}, 0 for who had not to wait", mode);
    case QuantityKind::contended:
      return fmt::format("waits for mmap_lock{} of those who had to wait", mode);
    case QuantityKind::hold:
      return fmt::format("holds of mmap_lock{}", mode);
    case QuantityKind::latency:
      break;
  }
  return fmt::format("latency of {}", quantity.text);
}

}  // namespace experiments
