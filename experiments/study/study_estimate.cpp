#include "experiments/study/study_estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <thread>

#include "experiments/base/quantity.h"
#include "experiments/run/process_pool.h"
#include "experiments/study/store.h"
#include "models/simulation.h"

namespace experiments {

namespace {

constexpr std::chrono::seconds kLongestProbe{10};

struct Work {
  std::size_t least = 0;  ///< runs, each counted once
  std::size_t most = 0;   ///< of an adaptive study
  PointRuns first;
};

std::size_t count_runs(const std::set<std::string>& digests, int replications) {
  return digests.size() * static_cast<std::size_t>(replications);
}

Work work_of(StudyPlan& plan) {
  Work work;
  std::set<std::string> digests;
  plan.read_runs([&](PointRuns runs) {
    const bool first = digests.empty();
    digests.insert(runs.digests.begin(), runs.digests.end());
    if (first) work.first = std::move(runs);
  });
  work.least = count_runs(digests, plan.study().replications);
  work.most = count_runs(digests, plan.study().at_most);
  return work;
}

/// Of one run, from those in the store.
std::optional<std::chrono::nanoseconds> known_time(const std::filesystem::path& folder) {
  if (folder.empty()) return std::nullopt;
  Store store(folder, Store::Mode::read);
  const auto mean = store.with([](SQLite::Database& database) {
    return number_of(database.execAndGet("SELECT CAST(avg(wall_ns) AS INTEGER) FROM run WHERE status = 'done'"));
  });
  return mean ? std::optional(std::chrono::nanoseconds(*mean)) : std::nullopt;
}

/// Of one run of the first point under its first policy; nothing when it takes too long or fails.
std::optional<std::chrono::nanoseconds> probed_time(const PointRuns& runs) {
  ProcessPool pool(1, kLongestProbe);
  pool.start(0, [&] {
    (void)models::simulate(runs.scenario, runs.scenario.policies.front(), {});
    return ProcessPool::Bytes{1};
  });
  std::vector<ProcessPool::Finished> finished;
  while (finished.empty()) finished = pool.wait();
  if (std::holds_alternative<Failure>(finished.front().outcome)) return std::nullopt;
  return finished.front().wall;
}

}  // namespace

std::string estimate(StudyPlan& plan, const std::filesystem::path& store) {
  const Work work = work_of(plan);
  std::string text = fmt::format("  {} points, {} different runs", plan.points().size(), work.least);
  if (work.most > work.least) text += fmt::format(" (up to {} for the precision wanted)", work.most);
  if (plan.study().find) text += " at most: a search looks at few points of each line";
  const auto known = known_time(store);
  const auto each = known ? known : probed_time(work.first);
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  if (!each)
    return text +
           fmt::format("\n  no estimate: a run of the first point failed or took over {}\n", human(kLongestProbe));
  const auto all = *each * static_cast<std::int64_t>(work.least) / cores;
  return text + fmt::format("\n  about {} on {} cores, from {} ({} a run)\n", human(all), cores,
                            known ? "the mean of the runs in the store"
                                  : "one run of the first point: others may take far longer",
                            human(*each));
}

}  // namespace experiments
