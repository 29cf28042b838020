// A table that somebody attached, beside a simulation: how far off the model is, or how far the scenario is from what
// was recorded.
//
// Locks. perf counts who slept for a lock (contention_begin to contention_end of a semaphore do not see who got it by
// spinning): beside it stand the simulated waits. klockstat counts everybody who asked: beside it stand all
// acquisitions, and a hold that was downgraded is one hold there and two here. Rows are brought to modes and calls
// by the functions that asked (mmap_lock_caller.h); what is of another lock is left out and named. A table does not
// tell how long it was recorded: with its length counts and totals are compared for the same length, without only means
// and longest.
// Histograms. The simulated samples in the table's own buckets, and between which ends percentiles lie.
// Validated by tests/experiments/host/table/table_comparison_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/quantity.h"
#include "experiments/host/table/attached_table.h"
#include "experiments/host/table/simulated_quantity.h"
#include "models/measure/blame.h"
#include "models/measure/phase.h"
#include "models/measure/result.h"
#include "models/spec/scenario.h"
#include "sim/time.h"

namespace experiments {

/// Of waits or holds; times in ns. What is not told is not there.
struct LockFigures {
  std::optional<double> count{};
  std::optional<double> total{};
  std::optional<double> mean{};
  std::optional<double> longest{};
};

struct ComparedLockRow {
  bool holds = false;                      ///< of holds; else of waits
  std::optional<models::LockMode> mode{};  ///< nothing: either
  std::optional<models::Phase> call{};     ///< that asked; nothing: any
  std::string class_name{};                ///< that asked; empty: any
  LockFigures table{};
  LockFigures simulated{};
};

struct ComparedLocks {
  LockTableForm form{};
  LockRowsBy by{};
  std::vector<ComparedLockRow> rows{};  ///< waits, then holds; of each by mode, then by call or class
  std::vector<std::string> left_out{};  ///< rows of other locks, and of tasks that are no class
  std::vector<std::string> notes{};     ///< what the reader has to know
  /// The table's length over the simulated one; nothing: the table's is not known.
  std::optional<double> scale{};
};

/// Samples from one time up to, not including, another.
struct ComparedBucket {
  std::optional<sim::Nanoseconds> from;
  std::optional<sim::Nanoseconds> to;
  std::uint64_t table = 0;
  std::uint64_t simulated = 0;
};

/// Where a percentile of the table lies, and the simulated one.
struct ComparedPercentile {
  std::string statistic;  ///< its name: `p99`, `max`
  std::optional<sim::Nanoseconds> from{};
  std::optional<sim::Nanoseconds> to{};
  std::optional<sim::Nanoseconds> simulated{};  ///< nothing: too few samples

  /// Whether the simulated one lies there too.
  [[nodiscard]] bool agrees() const;
};

struct ComparedHistogram {
  std::string map;
  SimulatedQuantity of{};
  std::string_view unit;                          ///< of the map: `us`
  bool unit_by_name = false;                      ///< as the map's name has it, not an option
  std::vector<ComparedBucket> buckets{};          ///< the table's; where samples lie outside, one before and after them
  int printed = 1;                                ///< as AttachedHistogram has it
  std::vector<ComparedPercentile> percentiles{};  ///< those with samples enough in the table
  std::uint64_t table = 0;                        ///< samples
  std::uint64_t simulated = 0;
};

/// What a user says of a table that it does not say itself.
struct TableOptions {
  std::vector<std::string> of{};             ///< --table-of, each [MAP=]WHAT
  std::optional<std::string> unit{};         ///< --table-unit
  std::optional<sim::Nanoseconds> length{};  ///< --table-length, more than 0
};

/// Which of the maps are set beside what.
struct HistogramChoice {
  const AttachedHistogram* histogram;
  SimulatedQuantity of;
  const TimeUnit* unit;
  bool unit_by_name;
};

/// `histograms` have to outlive what is returned. Throws UsageError where an option is missing or names what is not
/// there.
[[nodiscard]] std::vector<HistogramChoice> choose_histograms(const std::vector<AttachedHistogram>& histograms,
                                                             const TableOptions& options,
                                                             const models::Scenario& scenario);

/// The unit that a map's name ends with (`@usecs`, `@wait_ns[postgres]`), or null.
[[nodiscard]] const TimeUnit* unit_in_name(std::string_view map);

/// `source`: the table's name in messages. Throws InputError where no row can be of mmap_lock.
[[nodiscard]] ComparedLocks compare_locks(const LockTable& table, const std::string& source,
                                          const std::optional<sim::Nanoseconds>& length,
                                          const std::vector<models::Result>& results);
[[nodiscard]] ComparedHistogram compare_histogram(const HistogramChoice& choice,
                                                  const std::vector<models::Result>& results);

/// Simulated in multiples of the table's; nothing where one is not told or 0. `scale`: of the simulated one.
[[nodiscard]] std::optional<double> ratio_of(const std::optional<double>& simulated, const std::optional<double>& table,
                                             const std::optional<double>& scale = 1);

/// 80 columns, as far as names allow.
[[nodiscard]] std::string to_text(const ComparedLocks& locks);
[[nodiscard]] std::string to_text(const ComparedHistogram& histogram);
/// Schema `mlocksim-table/1`.
[[nodiscard]] std::string to_json_text(const ComparedLocks& locks);
[[nodiscard]] std::string to_json_text(const std::vector<ComparedHistogram>& histograms);

}  // namespace experiments
