// From a victim to the root: who a class waits for, who that one waits for, and so on.
//
// A result knows for each wait who held the lock, behind which queued writer one stood, and what the holder was about.
// Where the holder itself waited for another lock, its time is handed on to those that it waited for, in the proportion
// in which it has waited for them: so time goes to where the chain ends, and a long wait on which no victim depends
// counts for nothing (the idea of wPerf: Zhou et al., "wPerf: Generic Off-CPU Analysis to Identify Bottleneck Waiting
// Events", OSDI 2018). The chains of a victim and its own time add up to its latency without remainder.
//
// Scope. A proportion is that over the whole run, not that of the moment: exact where a holder waits for one class
// only.
// Validated by tests/experiments/explain/wait_chain_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "experiments/explain/class_change.h"
#include "models/measure/result.h"
#include "models/spec/scenario.h"

namespace experiments {

/// A way that waiting takes, from the victim on.
struct WaitChain {
  std::vector<models::ClassId> through;  ///< those who wait themselves: queued writers, and holders of other locks
  models::LockBlame root{};              ///< who it ends with, and what that one was about; its `convoy` is -1
  sim::Nanoseconds time{};

  bool operator==(const WaitChain&) const = default;
};

/// What those requests of a class, or its threads, have gone through that show what it suffers.
struct WaitChains {
  Loss by = Loss::tail;
  std::uint64_t requests = 0;     ///< the slowest; one, or none where it is not about requests
  sim::Nanoseconds from{};        ///< their shortest
  sim::Nanoseconds total{};       ///< of their latencies; all waits for locks
  std::vector<WaitChain> chains;  ///< the one with the most time first
  models::TimeByCause own{};      ///< what was no wait for a lock

  /// The share of `time` in the total, 0 .. 1.
  [[nodiscard]] double share(sim::Nanoseconds time) const;
};

/// The samples of a class in all results together, whatever the phase. Precondition: all are of one scenario.
[[nodiscard]] models::Samples samples_of(const std::vector<models::Result>& results, models::ClassId id);

/// By what a class suffers. Tail: its slowest, those beyond the highest percentile that there are samples enough for
/// (Samples::tail_start); it must have samples. Longest: its longest request in all results, the warm-up included, or
/// what all its waits come to where that one was never served, where it waited in pieces too short to be
/// kept, or where it makes none. Lost: all its waits for locks.
[[nodiscard]] WaitChains wait_chains(const std::vector<models::Result>& results, models::ClassId victim,
                                     Loss loss = Loss::tail);

/// Who waits for whom, from the root to the victim, in one sentence without a full stop: `smaps (/proc/db/smaps) holds
/// mmap_sem for read; mapper waits for smaps; faulter queues behind mapper`. `victim`: its name. `phases`: those that
/// the holder was in, if not only the root's.
[[nodiscard]] std::string in_words(const WaitChain& chain, const std::string& victim, const models::Scenario& scenario,
                                   const std::vector<std::string>& classes,
                                   const std::vector<models::Phase>& phases = {});

}  // namespace experiments
