// What a study has found out so far: one SQLite file, DIR/study.sqlite, that any SQLite tool can query.
//
// Schema, version 3 (PRAGMA user_version):
// - meta(key, value): of the study that was planned last: name, about, command, axes, measures (JSON lists), study
//   (JSON)
// - point(number, labels): its points; labels is a JSON list with the value of each axis, null where it has none
// - point_value(point, axis, value): the same for SQL
// - point_run(point, policy_order, policy, replication, run): which run belongs where; many may share one
// - scenario(key, yaml): what runs are runs of: a scenario under one policy with everything that it names in its place,
//   as a file that reads back (resolved_scenario.h); key is digest_of()
// - run(key, scenario, policy, seed, digest, status, reason, command, outcome, result, program, result_version,
// wall_ns,
//   owner, finished_at): key is run_key(), of all that determines the result; scenario and policy are names, digest a
//   key of the table scenario; status 'running', 'done' or 'failed'; reason: why it failed; command: repeats it;
//   outcome of one that is done: 'completed' or 'out_of_memory', whose figures end there; result: pack() of
//   result_pack.h, without wall time; program, result_version: of the mlocksim that ran it; finished_at: UTC
// - figure(run, class, phase, count, mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, p9999_ns, max_ns, blame, tail_blame):
//   phase 'total' is the whole run; NULL: too few samples. Of a locker also how long its calls took, phase being the
//   call. blame, tail_blame: JSON, as in result_json.h; of calls NULL
// - fact(run, name, value): every number of the result's JSON (result_json.h) outside `classes` and series, by its
// path:
//   'memory.lowest_free_pages', 'syscalls.mlock.mean_ns', 'locks.mmap_sem.convoys.count'
// - owner(id, host, boot, pid, started, seen_at): processes that run or ran parts of the study
// - latency: a view: figure, with point, policy and replication, of the runs that did not run out of memory
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

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "experiments/run/process_pool.h"
#include "experiments/study/stored_result.h"
#include "experiments/study/study_plan.h"

namespace experiments {

/// What SQLite has against a store, and what can be done about it.
class StoreError : public std::runtime_error {
 public:
  StoreError(const std::filesystem::path& file, const SQLite::Exception& error);
};

/// A run to do, or done.
struct StoredRun {
  std::string key;
  std::string scenario;
  std::string policy;
  std::uint64_t seed = 0;  ///< below 2^63
  std::string command;
  std::string digest;                           ///< of the scenario under the policy
  std::shared_ptr<const std::string> resolved;  ///< that scenario, as a file
};

/// How a run ended: its result, without wall time, or why there is none.
struct RunEnd {
  std::string key;
  std::variant<StoredResult, Failure> outcome;
  std::chrono::nanoseconds wall{};
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

  /// What `act` makes of the database. Throws StoreError.
  template <typename Act>
  auto with(Act act) {
    try {
      return act(database_);
    } catch (const SQLite::Exception& error) {
      throw StoreError(file_, error);
    }
  }
  /// The first column of the first row of a query.
  [[nodiscard]] std::int64_t integer(const std::string& sql);
  [[nodiscard]] std::string text(const std::string& sql);

 private:
  [[nodiscard]] Claim claim(const StoredRun& run);
  [[nodiscard]] bool is_alive(std::int64_t owner);
  void finish(const RunEnd& end);
  void register_owner();
  void take_from_shard(bool first);

  std::filesystem::path file_;
  SQLite::Database database_;
  std::int64_t owner_ = 0;  ///< 0: not registered yet
};

/// Text that may be NULL, which is empty.
[[nodiscard]] std::string column_text(const SQLite::Column& column);
/// A number that may be NULL.
[[nodiscard]] std::optional<std::int64_t> number_of(const SQLite::Column& column);

}  // namespace experiments
