// Why a scenario goes badly, and what would help: who suffers, along which chain, and the remedies by what they do.
//
// Who suffers: a class that loses, against one thread of it alone on the machine, in one of three measures
// (class_change.h). Why: wait_chain.h. What would help: each remedy of remedy.h is run with the same seeds, and each
// victim is held against the run as it is by the measure that made it one. What helps every victim comes first, by the
// one that it helps least; what helps some of them follows, and says whom not. A run that ran out of memory has nothing
// to be held against: a class or a remedy of which one did is named, and not ranked. Validated by
// tests/experiments/explain/explanation_test.cpp.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/compare/out_of_memory.h"
#include "experiments/explain/class_change.h"
#include "experiments/explain/remedy.h"
#include "experiments/explain/wait_chain.h"
#include "experiments/run/result_json.h"
#include "experiments/scenario/run_spec.h"
#include "models/measure/result.h"
#include "sim/engine.h"

namespace experiments {

struct Victim {
  ClassChange loss;  ///< from alone to as it is
  WaitChains waits;
};

/// A remedy, tried.
struct Trial {
  Remedy remedy;
  std::vector<ClassChange> victims;  ///< those that are still there, in the order of Explanation::victims
  std::vector<std::string> worse;    ///< other classes whose tail, or longest stall, it makes longer
  std::vector<std::string> prices;   ///< what it costs whom, a sentence each without a full stop
  std::string failure;               ///< why there are no figures; empty: there are
  std::string command;               ///< that repeats its first replication

  /// The ratio of the victim that it helps least.
  [[nodiscard]] double ratio() const;
  /// How many of the victims lose less (change.h).
  [[nodiscard]] std::size_t helped() const;
  /// Whether all do.
  [[nodiscard]] bool helps() const { return helped() > 0 && helped() == victims.size(); }
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

/// Runs what has to be run. `watch`: told, also while none ends, how many runs are done, of how many that are known of
/// by then. Throws InputError, and std::runtime_error if the scenario itself fails; a remedy that fails is a Trial that
/// says so.
[[nodiscard]] Explanation explain(const ExplainRequest& request,
                                  const std::function<void(std::size_t, std::size_t)>& watch);

[[nodiscard]] std::string to_text(const Explanation& explanation);
[[nodiscard]] Json to_json(const Explanation& explanation);

}  // namespace experiments
