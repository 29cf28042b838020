#include "experiments/study/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "models/simulation.h"
#include "sim/simgrid.h"

namespace experiments {

namespace {

constexpr std::chrono::milliseconds kBetweenLooks{100};
constexpr std::chrono::seconds kBetweenHeartbeats{30};
/// What a sweep that is killed may have to do again, beside the runs that it is at. A transaction waits for the disk,
/// and what this process writes to between two forks is copied: short runs are stored together.
constexpr std::chrono::milliseconds kBetweenStores{100};
constexpr std::chrono::nanoseconds kShortestRun = std::chrono::milliseconds{1};  ///< that a run is taken to be

/// A run with what it takes to do it.
struct PendingRun {
  StoredRun stored;
  const PointRuns* runs = nullptr;
  std::size_t policy = 0;
};

/// What has come of a run, not read yet.
struct Ended {
  std::string key;
  ProcessPool::Finished finished;
};

/// As the store keeps it.
ProcessPool::Bytes result_of(const PendingRun& pending) {
  models::Scenario scenario = pending.runs->scenario;
  scenario.seed = pending.stored.seed;
  return to_bytes(
      stored_result(models::without_wall(models::simulate(scenario, scenario.policies[pending.policy], {}))));
}

class Sweep {
 public:
  Sweep(const StudyPlan& plan, const std::vector<PointRuns>& points, Store& store, const SweepOptions& options,
        const Watch& watch)
      : plan_(plan),
        points_(points),
        store_(store),
        options_(options),
        watch_(watch),
        pool_(options.workers, options.timeout) {}

  SweepProgress run() {
    sim::load_simgrid();
    store_.write_plan(plan_, {});
    for (bool first = true;; first = false) {
      const std::deque<PendingRun> pending = plan_round(first);
      if (!pending.empty()) run_all(pending);
      if (pending.empty() || !is_adaptive(plan_.study())) return progress_;
    }
  }

 private:
  /// Adds what is wanted by now to the plan; returns those runs that have not ended.
  std::deque<PendingRun> plan_round(bool first) {
    const StudyResults results = is_adaptive(plan_.study()) ? read_results(store_) : StudyResults{};
    const std::vector<int> wanted = wanted_replications(plan_, results, options_.shard);
    std::vector<PointRun> planned;
    std::vector<PendingRun> runs;
    for (std::size_t point = 0; point < wanted.size(); ++point) {
      for (std::size_t policy = 0; policy < points_[point].scenario.policies.size(); ++policy) {
        for (int replication = 0; replication < wanted[point]; ++replication) {
          PendingRun run = run_at(point, policy, replication);
          planned.push_back({point, policy, run.stored.policy, replication, run.stored.key});
          if (keys_.insert(run.stored.key).second) runs.push_back(std::move(run));
        }
      }
    }
    store_.add_runs(planned);
    progress_.all = keys_.size();
    return without_finished(runs, first);
  }

  PendingRun run_at(std::size_t point, std::size_t policy, int replication) const {
    const PointRuns& runs = points_[point];
    const std::uint64_t seed = plan_.study().seed + static_cast<std::uint64_t>(replication);
    RunSpec spec = runs.specs[policy];
    spec.seed = seed;
    return {{run_key(runs.digests[policy], seed), runs.scenario.name, runs.scenario.policies[policy].name, seed,
             to_command(spec), runs.digests[policy], runs.resolved[policy]},
            &runs,
            policy};
  }

  /// An adaptive study sees the results of what is in the plan only: after a restart it goes through its earlier rounds
  /// once more, without running anything.
  std::deque<PendingRun> without_finished(const std::vector<PendingRun>& runs, bool first) {
    if (first && options_.retry) {
      std::vector<std::string> keys;
      keys.reserve(runs.size());
      for (const PendingRun& run : runs) keys.push_back(run.stored.key);
      store_.forget_failed(keys);
    }
    std::deque<PendingRun> pending;
    for (const PendingRun& run : runs) {
      const std::string status = status_of(run.stored.key);
      if (status != "done" && status != "failed") {
        pending.push_back(run);
        continue;
      }
      ++progress_.done;
      ++progress_.before;
      if (status == "failed") ++progress_.failed;
    }
    if (pending.empty() && !runs.empty() && is_adaptive(plan_.study())) return plan_round(false);
    return pending;
  }

  /// Empty: it has not been begun.
  std::string status_of(const std::string& key) {
    return store_.with([&](SQLite::Database& database) {
      SQLite::Statement find(database, "SELECT status FROM run WHERE key = ?");
      find.bind(1, key);
      return find.executeStep() ? find.getColumn(0).getString() : std::string();
    });
  }

  void run_all(std::deque<PendingRun> pending) {
    std::deque<PendingRun> elsewhere;
    while (!pending.empty() || !claimed_.empty() || !running_.empty() || !elsewhere.empty() || !ended_.empty()) {
      if (pending.empty() && claimed_.empty() && running_.empty()) std::swap(pending, elsewhere);
      start_claimed();
      store_and_claim(pending, elsewhere);
      start_claimed();
      if (!running_.empty()) {
        collect(pool_.wait(ended_.empty() ? kBetweenHeartbeats : kBetweenStores));
      } else if (pending.empty() && !elsewhere.empty()) {
        std::this_thread::sleep_for(kBetweenLooks);
      }
      if (std::chrono::steady_clock::now() - last_word_ > kBetweenHeartbeats) store(std::vector<StoredRun>{}, 0);
    }
  }

  void start_claimed() {
    for (; !claimed_.empty() && pool_.room() > 0; claimed_.pop_front()) {
      const auto place = running_.emplace(next_id_, std::move(claimed_.front())).first;
      pool_.start(next_id_++, [&] { return result_of(place->second); });
    }
  }

  /// How many runs are claimed before there is room for them: one for each worker, so that nobody waits for the disk,
  /// and more where they are short.
  [[nodiscard]] std::size_t ahead() const {
    const auto workers = static_cast<std::size_t>(options_.workers);
    if (ran_ == 0) return workers;
    const std::chrono::nanoseconds mean = progress_.wall / ran_;
    return workers * (1 + static_cast<std::size_t>(kBetweenStores / std::max(mean, kShortestRun)));
  }

  /// Stores what has ended and claims what comes next.
  void store_and_claim(std::deque<PendingRun>& pending, std::deque<PendingRun>& elsewhere) {
    const bool may_claim = !pending.empty() && claimed_.size() < static_cast<std::size_t>(options_.workers);
    const bool idle = running_.empty() && claimed_.empty();
    const bool due = idle || std::chrono::steady_clock::now() - last_word_ >= kBetweenStores;
    if (!may_claim && (ended_.empty() || !due)) return;
    const std::size_t most = pool_.room() + ahead() - std::min(claimed_.size(), ahead());
    std::vector<StoredRun> wanted;
    // Some may be done or taken: a few more than there is room for are looked at.
    for (std::size_t index = 0; index < std::min(pending.size(), most * 4); ++index) {
      wanted.push_back(pending[index].stored);
    }
    for (const Claim claim : store(wanted, most)) {
      PendingRun run = std::move(pending.front());
      pending.pop_front();
      if (claim == Claim::elsewhere) {
        elsewhere.push_back(std::move(run));
      } else if (claim == Claim::granted) {
        claimed_.push_back(std::move(run));
      } else {
        ++progress_.done;
        progress_.failure.clear();
        watch_(progress_);
      }
    }
  }

  std::vector<Claim> store(const std::vector<StoredRun>& wanted, std::size_t most) {
    std::vector<RunEnd> ends;
    for (const Ended& each : std::exchange(ended_, {}))
      ends.push_back({each.key, read_outcome(each.finished.outcome, read_stored_result), each.finished.wall});
    std::vector<Claim> claims = store_.advance(ends, wanted, most);
    last_word_ = std::chrono::steady_clock::now();
    return claims;
  }

  void collect(std::vector<ProcessPool::Finished> all) {
    for (ProcessPool::Finished& finished : all) {
      const auto run = running_.find(finished.id);
      count(finished, run->second.stored);
      ended_.push_back({run->second.stored.key, std::move(finished)});
      running_.erase(run);
    }
  }

  void count(const ProcessPool::Finished& finished, const StoredRun& run) {
    ++progress_.done;
    ++ran_;
    progress_.wall += finished.wall;
    progress_.failure.clear();
    if (const auto* const failure = std::get_if<Failure>(&finished.outcome)) {
      ++progress_.failed;
      progress_.failure = fmt::format("{}\n  {}", failure->reason, run.command);
    }
    watch_(progress_);
  }

  const StudyPlan& plan_;
  const std::vector<PointRuns>& points_;
  Store& store_;
  const SweepOptions& options_;
  const Watch& watch_;
  ProcessPool pool_;
  std::set<std::string> keys_;      ///< wanted so far
  std::deque<PendingRun> claimed_;  ///< and not started yet
  std::map<std::size_t, PendingRun> running_;
  std::vector<Ended> ended_;  ///< and not stored yet
  std::size_t next_id_ = 0;
  std::chrono::steady_clock::time_point last_word_ = std::chrono::steady_clock::now();
  int ran_ = 0;  ///< by this sweep
  SweepProgress progress_;
};

}  // namespace

SweepProgress sweep(const StudyPlan& plan, const std::vector<PointRuns>& points, Store& store,
                    const SweepOptions& options, const Watch& watch) {
  return Sweep(plan, points, store, options, watch).run();
}

}  // namespace experiments
