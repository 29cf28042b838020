#include "experiments/run/execute.h"

#include "experiments/run/result_pack.h"
#include "models/simulation.h"

namespace experiments {

namespace {

std::vector<std::uint8_t> run_packed(const Job& job, const sim::Engine::Options& options) {
  models::Scenario scenario = *job.scenario;
  scenario.seed = job.seed;
  return pack(models::simulate(scenario, *job.policy, options));
}

JobOutcome outcome_of(const ProcessPool::Finished& finished) {
  if (const auto* failure = std::get_if<Failure>(&finished.outcome)) return *failure;
  return unpack(std::get<ProcessPool::Bytes>(finished.outcome));
}

}  // namespace

std::vector<JobOutcome> execute(const std::vector<Job>& jobs, int workers, const sim::Engine::Options& options,
                                const std::function<void(std::size_t)>& finished,
                                const std::function<void()>& meanwhile) {
  std::vector<JobOutcome> outcomes(jobs.size());
  ProcessPool pool(workers);
  std::size_t next = 0;
  std::size_t done = 0;
  while (done < jobs.size()) {
    for (; next < jobs.size() && pool.room() > 0; ++next) {
      pool.start(next, [&] { return run_packed(jobs[next], options); });
    }
    const std::vector<ProcessPool::Finished> ended = pool.wait(std::chrono::seconds(1));
    for (const ProcessPool::Finished& each : ended) {
      outcomes[each.id] = outcome_of(each);
      finished(++done);
    }
    if (ended.empty() && meanwhile) meanwhile();
  }
  return outcomes;
}

}  // namespace experiments
