// A whole small run, from its first event to its last: what all the parts come to.
#include <benchmark/benchmark.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>

#include "models/simulation.h"

namespace models {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kMiB = std::int64_t{1} << 20U;

Scenario small_scenario() {
  Scenario scenario;
  scenario.name = "benchmark";
  scenario.machine.cpus = 16;
  scenario.machine.scheduler.wake_up_latency = 5us;
  Costs& costs = scenario.machine.costs;
  costs.rwsem_operation = 30ns;
  costs.rwsem_wake = 1us;
  costs.populate_page = sim::Constant{815ns};
  costs.mlock_page = sim::Constant{285ns};
  costs.munlock_page = sim::Constant{155ns};
  costs.fault = sim::Lognormal{1310ns, 5540ns};
  scenario.memory.size = Bytes(1024 * kMiB);
  scenario.memory.free = Bytes(1024 * kMiB);

  ProcessSpec process;
  process.name = "db";
  RegionSpec region;
  region.name = "heap";
  region.size = Bytes(16 * kMiB);
  process.regions = {region};
  LockerSpec locker{"heap", {{ScriptStep::Call::mlock}, {ScriptStep::Call::munlock}}};
  FaulterSpec faulter{"heap", ClosedLoop{sim::Exponential{10us}}};
  process.threads = {{"locker", 1, locker}, {"faulter", 8, faulter}};
  scenario.processes = {process};
  return scenario;
}

struct Outcome {
  sim::Nanoseconds wall;
  std::uint64_t events;
};

// In a process of its own, as SimGrid's clock cannot be set back.
Outcome run_in_child(const Scenario& scenario, const Policy& policy) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no process");
  if (child == 0) {
    const Result result = simulate(scenario, policy, {});
    const Outcome outcome{result.wall, result.events};
    const bool written = write(ends[1], &outcome, sizeof outcome) == sizeof outcome;
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  Outcome outcome{};
  const bool complete = read(ends[0], &outcome, sizeof outcome) == sizeof outcome;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!complete) throw std::runtime_error("the run failed");
  return outcome;
}

void mlock_beside_faulters(benchmark::State& state, HoldMode populate) {
  const Scenario scenario = small_scenario();
  Policy policy;
  policy.name = "benchmark";
  policy.populate.mode = populate;
  std::uint64_t events = 0;
  for (auto _ : state) {
    const Outcome outcome = run_in_child(scenario, policy);
    state.SetIterationTime(std::chrono::duration<double>(outcome.wall).count());
    events += outcome.events;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
}
BENCHMARK_CAPTURE(mlock_beside_faulters, write_held, HoldMode::write_held)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mlock_beside_faulters, downgrade, HoldMode::downgrade)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace models
