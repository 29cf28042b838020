#include "experiments/run/execute.h"

#include <stdexcept>
#include <utility>
#include <variant>

#include "experiments/run/result_pack.h"
#include "models/simulation.h"
#include "sim/simgrid.h"

namespace experiments {

namespace {

std::vector<std::uint8_t> run_packed(const Job& job, const sim::Engine::Options& options) {
  models::Scenario scenario = *job.scenario;
  scenario.seed = job.seed;
  return pack(models::simulate(scenario, *job.policy, options));
}

}  // namespace

std::vector<JobOutcome> execute(const std::vector<Job>& jobs, int workers, const sim::Engine::Options& options,
                                const std::function<void(std::size_t)>& finished,
                                const std::function<void()>& meanwhile) {
  // Nothing is unpacked before all have ended: after a fork, each page that this process writes to is copied.
  std::vector<ProcessPool::Outcome> packed(jobs.size());
  sim::load_simgrid();
  ProcessPool pool(workers);
  std::size_t next = 0;
  std::size_t done = 0;
  while (done < jobs.size()) {
    for (; next < jobs.size() && pool.room() > 0; ++next) {
      pool.start(next, [&] { return run_packed(jobs[next], options); });
    }
    std::vector<ProcessPool::Finished> ended = pool.wait(std::chrono::seconds(1));
    for (ProcessPool::Finished& each : ended) {
      packed[each.id] = std::move(each.outcome);
      finished(++done);
    }
    if (ended.empty() && meanwhile) meanwhile();
  }
  std::vector<JobOutcome> outcomes;
  for (ProcessPool::Outcome& each : packed) outcomes.push_back(read_outcome(std::exchange(each, {}), unpack));
  return outcomes;
}

std::vector<models::Result> replicate(const models::Scenario& scenario, std::size_t replications, int workers,
                                      const sim::Engine::Options& options) {
  std::vector<Job> all;
  for (std::size_t each = 0; each < replications; ++each) {
    all.push_back({&scenario, &scenario.policies.front(), scenario.seed + each});
  }
  std::vector<models::Result> results;
  for (JobOutcome& outcome : execute(all, workers, options, [](std::size_t) {})) {
    if (const auto* const failure = std::get_if<Failure>(&outcome)) throw std::runtime_error(failure->reason);
    results.push_back(std::get<models::Result>(std::move(outcome)));
  }
  return results;
}

}  // namespace experiments
