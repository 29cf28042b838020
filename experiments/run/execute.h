// Runs simulations side by side, each in a process of its own: SimGrid has room for one in a process.
#pragma once

#include <functional>
#include <variant>
#include <vector>

#include "experiments/run/process_pool.h"
#include "models/measure/result.h"
#include "models/spec/scenario.h"
#include "sim/engine.h"

namespace experiments {

/// One simulation to run.
struct Job {
  const models::Scenario* scenario;
  const models::Policy* policy;
  std::uint64_t seed;
};

using JobOutcome = std::variant<models::Result, Failure>;

/// Runs all jobs, at most `workers` (>= 1) at a time; the outcomes are in the order of the jobs, whatever finished
/// first. `finished` is told after each job how many are done; `meanwhile` is called once a second while none ends. A
/// job that crashes is a Failure and does not harm the others. Throws std::system_error if no process can be made.
[[nodiscard]] std::vector<JobOutcome> execute(const std::vector<Job>& jobs, int workers,
                                              const sim::Engine::Options& options,
                                              const std::function<void(std::size_t)>& finished,
                                              const std::function<void()>& meanwhile = {});

/// Under its first policy, so many times: with its seed, and those that follow. Throws std::runtime_error where one
/// fails.
[[nodiscard]] std::vector<models::Result> replicate(const models::Scenario& scenario, std::size_t replications,
                                                    int workers, const sim::Engine::Options& options);

}  // namespace experiments
