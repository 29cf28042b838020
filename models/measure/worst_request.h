// The longest requests of a class, step by step, out of the accounts of the tasks that made them.
//
// Validated by tests/models/measure/worst_request_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "models/measure/ledger.h"
#include "models/measure/samples.h"

namespace models {

/// The request of `task` that was due at `due` and ended at `end`, in the locker's `phase`. Precondition: the ledger
/// remembers what has been since then.
[[nodiscard]] WorstRequest worst_request(const Ledger& ledger, std::string task, sim::Time due, sim::Time end,
                                         Phase phase);

/// The longest requests, the longest first, the earlier first of two that are as long.
class WorstRequests {
 public:
  static constexpr std::size_t kMost = 32;

  explicit WorstRequests(std::size_t most = kMost) : most_(most) {}

  /// Whether a request of this latency would be among them.
  [[nodiscard]] bool admits(sim::Nanoseconds latency) const {
    return longest_.size() < most_ || latency > longest_.back().request.latency;
  }
  /// Precondition: admits its latency.
  void add(WorstRequest request) { insert(Entry{std::move(request)}); }
  /// The same, of a request that has just ended, out of the ledger of its task, which outlives these. Put together only
  /// when it has been among them for a while, and until then the ledger keeps what that takes: where requests fall due
  /// faster than they are served each is longer than the one before, and made of all that has been since it was due.
  void add(Ledger& ledger, std::string task, sim::Time due, sim::Time end, Phase phase);
  /// Another request of the class has ended.
  void ended() {
    if (++ended_ >= next_) put_together_up_to(ended_);
  }
  /// Puts together what is not yet: no ledger keeps anything any more.
  void put_together() {
    if (next_ != kNever) put_together_up_to(kNever);
  }
  [[nodiscard]] std::vector<WorstRequest> requests() const;

 private:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  struct Entry {
    WorstRequest request;
    Ledger* ledger = nullptr;  // of which it is to be put together
    sim::Time end{};
    std::uint64_t at = kNever;  // when so many have ended

    [[nodiscard]] WorstRequest whole() const;
  };

  void insert(Entry entry);
  void put_together_up_to(std::uint64_t ended);
  void keep(Ledger& ledger) const;

  std::size_t most_;
  std::vector<Entry> longest_;
  std::uint64_t ended_ = 0;
  std::uint64_t next_ = kNever;  // when the first of them is to be put together
};

}  // namespace models
