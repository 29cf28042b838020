// What a study has found out so far: one SQLite file, DIR/study.sqlite, that any SQLite tool can query.
//
// Schema, version 2 (PRAGMA user_version):
// - meta(key, value): of the study that was planned last: name, about, command, axes, measures (JSON lists), study
// (JSON)
// - point(number, labels): its points; labels is a JSON list with the value of each axis, null where it has none
// - point_value(point, axis, value): the same for SQL
// - point_run(point, policy_order, policy, replication, run): which run belongs where; many may share one
// - run(key, scenario, policy, seed, status, reason, command, result, wall_ns, owner, finished_at): key is run_key(),
// of
//   all that determines the result; status 'running', 'done' or 'failed'; result as to_json() of result_json.h, without
//   wall time; reason: why it failed; command: repeats it; finished_at: UTC
// - figure(run, class, phase, count, mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, p9999_ns, max_ns, blame): phase 'total'
// is
//   the whole run; NULL: too few samples; blame: JSON, as in the result
// - distribution(run, class, phase, histogram): of the calls and of 'total'; JSON, as of coarse_histogram.h. Version 1
//   did not have it: such a store is read as it is, and given the table when it is written
// - owner(id, host, boot, pid, started, seen_at): processes that run or ran parts of the study
// - latency: a view: figure, with point, policy and replication
//
// Runs outlive plans: an edited study finds those of its runs that are there, and what it no longer wants stays.
//
// Durability. Write-ahead log and synchronous=FULL: a run whose end was committed survives kill -9 and a power cut, at
// one fsync a run. The log lets `results` read while a sweep writes. It needs shared memory, so a store must not be on
// a network file system that several hosts write: give each of them a shard, and merge.
//
// Claims. A run is claimed (status 'running', with its owner) before it starts. A claim is taken back when its owner's
// process has ended, or its host has been started anew since; that of another host when it has not been heard of for
// five minutes.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "experiments/run/process_pool.h"
#include "experiments/study/database.h"
#include "experiments/study/study_plan.h"

namespace experiments {

/// A run to do, or done.
struct StoredRun {
  std::string key;
  std::string scenario;
  std::string policy;
  std::uint64_t seed = 0;  ///< below 2^63
  std::string command;
};

/// How a run ended: its result as JSON text, or why there is none.
struct RunEnd {
  std::string key;
  std::variant<std::string, Failure> outcome;
  std::chrono::nanoseconds wall{};
  std::string distributions{};  ///< JSON, as of coarse_histogram.h; empty: not known
};

/// What became of the wish to do a run.
enum class Claim {
  granted,    ///< do it
  finished,   ///< it has been done, or has failed
  elsewhere,  ///< another process is at it
};

/// Where a run belongs.
struct PointRun {
  std::size_t point = 0;
  std::size_t policy_order = 0;
  std::string policy;
  int replication = 0;
  std::string run;  ///< its key
  bool operator==(const PointRun&) const = default;
};

class Store {
 public:
  enum class Mode { read, write };

  /// Opens the store in `folder`; to write it, makes both if they are not there. Throws InputError when that cannot be
  /// done or the file is no store of this version.
  Store(const std::filesystem::path& folder, Mode mode);

  /// Puts the study's points in the place of those of the last plan. Runs stay.
  void write_plan(const StudyPlan& plan, const std::vector<PointRun>& runs);
  /// Adds to the plan.
  void add_runs(const std::vector<PointRun>& runs);

  /// In one transaction: stores how runs ended, claims others, and tells others that this process is alive. One answer
  /// for each of `wanted`, of which at most `most` are granted; those behind the last one that is looked at for that
  /// reason get no answer.
  [[nodiscard]] std::vector<Claim> advance(const std::vector<RunEnd>& ended, const std::vector<StoredRun>& wanted,
                                           std::size_t most);
  /// Forgets those of `keys` that failed, so that they are run again.
  void forget_failed(const std::vector<std::string>& keys);

  /// Takes all runs and what they belong to from the store of another shard. Throws InputError if it is of another
  /// study.
  void merge(const std::filesystem::path& folder);

  [[nodiscard]] Database& database() { return database_; }
  /// Whether it keeps distributions: one of version 1 that is only read does not.
  [[nodiscard]] bool has_distributions();

 private:
  [[nodiscard]] Claim claim(const StoredRun& run);
  [[nodiscard]] bool is_alive(std::int64_t owner);
  void finish(const RunEnd& end);
  void insert_distributions(const RunEnd& end);
  void register_owner();

  std::filesystem::path file_;
  Database database_;
  std::int64_t owner_ = 0;  ///< 0: not registered yet
};

}  // namespace experiments
