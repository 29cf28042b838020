#include "experiments/run/execute.h"

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

}  // namespace experiments
