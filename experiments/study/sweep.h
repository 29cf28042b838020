// Runs what a study wants and its store does not have yet, each run in a process of its own.
//
// Several sweeps of one study may share a store: each claims runs one by one, and waits at the end for those that
// others are at. What adds up is the store's: a sweep may be killed at any time and started again.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/study/store.h"
#include "experiments/study/study_plan.h"
#include "experiments/study/study_progress.h"

namespace experiments {

struct SweepOptions {
  int workers = 1;
  std::optional<std::chrono::nanoseconds> timeout;  ///< of one run
  Shard shard;
  bool retry = false;  ///< runs that failed, too
};

/// How far a sweep is. An adaptive study's `all` grows.
struct SweepProgress {
  std::size_t all = 0;              ///< runs wanted, each counted once however many points share it
  std::size_t before = 0;           ///< of them, those that were there when the sweep began
  std::size_t done = 0;             ///< finished by now, by whomever
  std::size_t failed = 0;           ///< in this sweep
  std::string failure;              ///< what there is to say about the run that has just failed, if it has
  std::chrono::nanoseconds wall{};  ///< of the runs of this sweep, added up
};

/// Told after each run.
using Watch = std::function<void(const SweepProgress&)>;

/// Runs until nothing is wanted any more. `points`: what the plan's points run, all of them read beforehand, so that a
/// mistake in the last one costs neither a night nor a store.
SweepProgress sweep(const StudyPlan& plan, const std::vector<PointRuns>& points, Store& store,
                    const SweepOptions& options, const Watch& watch);

}  // namespace experiments
