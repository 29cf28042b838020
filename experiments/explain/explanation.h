// Why a scenario goes badly, and what would help: who suffers, along which chain, and the remedies by what they do.
//
// Who suffers: a class whose tail is three times, or more, what it is with one thread of it alone on the machine. Why:
// wait_chain.h. What would help: each remedy of remedy.h is run with the same seeds, and held against the run as it is
// by the victim that it helps least, so that helping one at the cost of another does not count as help. A run that ran
// out of memory has no tail to be held against: a class or a remedy of which one did is named, and not ranked. Figures
// are those of single replications: the highest percentile up to p99.9 that all replications on both sides have samples
// enough for, or else the longest. For who suffers, the runs together decide which; a class that alone has too few
// samples for it is represented by its longest there, which is no shorter. Ratios are geometric means over the
// replications, paired by seed; differences have Student's 95 % interval (statistics.h). Validated by
// tests/experiments/explain/explanation_test.cpp.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/statistics.h"
#include "experiments/compare/comparison.h"
#include "experiments/compare/out_of_memory.h"
#include "experiments/explain/remedy.h"
#include "experiments/explain/wait_chain.h"
#include "experiments/run/result_json.h"
#include "experiments/scenario/run_spec.h"
#include "models/measure/result.h"
#include "sim/engine.h"

namespace experiments {

/// A tail before and after a change.
struct TailChange {
  std::string class_name;
  Statistic statistic;
  double before = 0;  ///< means over the replications, in nanoseconds
  double after = 0;
  double ratio = 1;  ///< after / before: the geometric mean; infinite where something comes of nothing
  std::optional<Interval> difference;  ///< of after - before; nothing with one replication
};

/// The change of one class from some results to others, seed by seed. Nothing where either has no samples of it.
[[nodiscard]] std::optional<TailChange> tail_change(const std::vector<models::Result>& before,
                                                    const std::vector<models::Result>& after,
                                                    const std::string& class_name);

struct Victim {
  TailChange tail;  ///< from alone to as it is
  WaitChains waits;
};

/// A remedy, tried.
struct Trial {
  Remedy remedy;
  std::vector<TailChange> victims;  ///< those that are still there, in the order of Explanation::victims
  std::vector<std::string> worse;   ///< other classes whose tail it makes longer
  std::string failure;              ///< why there are no figures; empty: there are
  std::string command;              ///< that repeats its first replication

  /// The ratio of the victim that it helps least.
  [[nodiscard]] double ratio() const;
  /// Whether every victim's tail gets shorter (change.h).
  [[nodiscard]] bool helps() const;
};

struct Explanation {
  std::string scenario;
  std::string about;
  std::optional<Incident> incident;  ///< that the scenario replays
  std::string policy;
  std::size_t replications = 1;
  std::vector<Victim> victims;        ///< the one that suffers most first
  std::vector<std::string> unharmed;  ///< the other classes that make requests
  std::vector<OutOfMemory> untold;    ///< and those that run out of memory alone: nothing to hold them against
  std::vector<std::string> account;   ///< what happened, a sentence each, the most important first
  std::vector<Trial> trials;          ///< the one that helps most first
  std::string command;
  std::optional<OutOfMemory> out_of_memory;  ///< of the scenario as it is, under `policy`
};

/// What to explain.
struct ExplainRequest {
  RunSpec run;
  int replications = 3;
  int workers = 1;
  sim::Engine::Options options;
};

/// Runs what has to be run. `watch`: told how many runs are done, of how many that are known of by then. Throws
/// InputError, and std::runtime_error if the scenario itself fails; a remedy that fails is a Trial that says so.
[[nodiscard]] Explanation explain(const ExplainRequest& request,
                                  const std::function<void(std::size_t, std::size_t)>& watch);

[[nodiscard]] std::string to_text(const Explanation& explanation);
[[nodiscard]] Json to_json(const Explanation& explanation);

}  // namespace experiments
