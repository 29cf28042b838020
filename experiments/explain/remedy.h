// What might help: changes to a scenario, each to be tried alone.
//
// A remedy is spelled as options of the command line, so that anybody can repeat it and whatever reads scenarios checks
// it. Which ones apply follows from where the chains of waiting end (wait_chain.h): what the holder was doing chooses
// the policy's path, and what it could call instead (in pieces, on fault, vfork, a pool); why it took its time chooses
// niceness, CPUs or quota. Always there: without each other competitor in turn, without a machine's noise, and kernels
// later than the policy's own. Validated by tests/experiments/explain/remedy_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/explain/wait_chain.h"
#include "experiments/scenario/kernel_table.h"
#include "experiments/scenario/yaml_reader.h"
#include "models/spec/scenario.h"

namespace experiments {

struct Remedy {
  std::string label;                ///< `without mapper`, `smaps under per-VMA locks`
  std::vector<std::string> sets{};  ///< as --set takes them
  std::optional<std::string>
      policy{};  ///< in place of the scenario's own: a shipped one, or keys, as --policy takes it
  std::optional<std::string> without{};         ///< the class that is not there
  std::optional<KernelSpan> kernels{};          ///< that `policy` is the rules of
  std::string price{};                          ///< what it costs whom that no run shows; without a full stop
  std::optional<std::string> asks_otherwise{};  ///< the class whose calls are about something else: their costs do not
                                                ///< compare

  bool operator==(const Remedy&) const = default;
};

/// What is known of a run that went badly.
struct Diagnosis {
  const models::Scenario& scenario;  ///< with the one policy that it ran under
  const YamlNode& root;              ///< its tree
  YamlNode policy;                   ///< the one policy, as the command line can say it
  std::vector<std::string> victims;  ///< classes
  std::vector<WaitChain> chains;     ///< those of the victims that matter
  std::vector<std::string> classes;  ///< the names that the chains refer to
  sim::Nanoseconds sim_time{};       ///< of the run
};

/// Those that apply, each once, in the order: without competitors, who asks less often, who calls something else,
/// scheduling, policies, kernels.
[[nodiscard]] std::vector<Remedy> remedies_for(const Diagnosis& diagnosis);

}  // namespace experiments
