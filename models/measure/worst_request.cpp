#include "models/measure/worst_request.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace models {

namespace {

// Puts a request together, one stretch of its time after the other: neighbours that are alike are one step, and a step
// is worth a line if it is at least a hundredth of the latency. A request that is long overdue has thousands of
// stretches and of waits, so each is looked at once and few are kept.
class Steps {
 public:
  explicit Steps(WorstRequest& request) : request_(request) {}

  void add(const WorstStep& step) {
    if (open_ && open_->cause == step.cause && open_->lock == step.lock) {
      open_->to = step.to;
    } else {
      close();
      open_ = step;
    }
  }

  // The stretch [from, to) of waiting for a semaphore, by whom it was for. `wait`: none before has ended after `from`.
  void add_lock_waits(Ledger::LockWaits& wait, sim::Time from, sim::Time to) {
    sim::Time known = from;
    for (; !wait.at_end(); ++wait) {
      const LockWait each = *wait;
      const sim::Time begin = std::max(known, each.from);
      const sim::Time end = std::min(to, each.to);
      if (begin < end) {
        if (known < begin) add({known, begin, Cause::lock_wait, std::nullopt});
        add({begin, end, Cause::lock_wait, each.blame});
        known = end;
      }
      if (each.to >= to) break;
    }
    if (known < to) add({known, to, Cause::lock_wait, std::nullopt});
  }

  // No step is under way any more.
  void close() {
    if (!open_) return;
    const sim::Nanoseconds length = open_->to - open_->from;
    if (length * 100 >= request_.latency) {
      request_.steps.push_back(*open_);
    } else {
      request_.rest[static_cast<std::size_t>(open_->cause)] += length;
    }
    open_.reset();
  }

 private:
  WorstRequest& request_;
  std::optional<WorstStep> open_;
};

}  // namespace

WorstRequest worst_request(const Ledger& ledger, std::string task, sim::Time due, sim::Time end, Phase phase) {
  WorstRequest worst{std::move(task), due, end - due, phase, {}, {}};
  Steps steps(worst);
  Ledger::LockWaits waits = ledger.lock_waits_after(due);
  ledger.for_each_between(due, end, [&](sim::Time from, sim::Time to, Cause cause) {
    if (cause == Cause::lock_wait) {
      steps.add_lock_waits(waits, from, to);
    } else {
      steps.add({from, to, cause, std::nullopt});
    }
  });
  steps.close();
  return worst;
}

namespace {

// Where each is longer than the one before, 32 more push one out; others of the class end in between. What is made of
// many pieces waits for longer, as each of those others has a few pieces more for the ledger to keep: so they pay for
// it, and no ledger becomes several times as long as it is anyway.
std::uint64_t while_of(std::size_t pieces) {
  constexpr std::uint64_t kShort = 512;
  constexpr std::uint64_t kPiecesOfOne = 8;
  return std::max<std::uint64_t>(kShort, pieces / kPiecesOfOne);
}

}  // namespace

void WorstRequests::add(Ledger& ledger, std::string task, sim::Time due, sim::Time end, Phase phase) {
  const std::uint64_t at = ended_ + while_of(ledger.pieces_since(due));
  insert(Entry{{std::move(task), due, end - due, phase, {}, {}}, &ledger, end, at});
  next_ = std::min(next_, at);
  keep(ledger);
}

void WorstRequests::insert(Entry entry) {
  const auto place =
      std::upper_bound(longest_.begin(), longest_.end(), entry.request.latency,
                       [](sim::Nanoseconds latency, const Entry& other) { return latency > other.request.latency; });
  longest_.insert(place, std::move(entry));
  if (longest_.size() <= most_) return;
  Ledger* const pushed_out = longest_.back().ledger;
  longest_.pop_back();
  if (pushed_out != nullptr) keep(*pushed_out);
}

void WorstRequests::put_together_up_to(std::uint64_t ended) {
  next_ = kNever;
  for (Entry& entry : longest_) {
    if (entry.ledger == nullptr) continue;
    if (entry.at > ended) {
      next_ = std::min(next_, entry.at);
      continue;
    }
    entry.request = entry.whole();
    keep(*std::exchange(entry.ledger, nullptr));
  }
}

std::vector<WorstRequest> WorstRequests::requests() const {
  std::vector<WorstRequest> requests;
  for (const Entry& entry : longest_) requests.push_back(entry.whole());
  return requests;
}

WorstRequest WorstRequests::Entry::whole() const {
  return ledger == nullptr ? request : worst_request(*ledger, request.task, request.due, end, request.phase);
}

// What the ledger is needed for from the earliest of its requests on.
void WorstRequests::keep(Ledger& ledger) const {
  sim::Time from = sim::Time::max();
  for (const Entry& entry : longest_) {
    if (entry.ledger == &ledger) from = std::min(from, entry.request.due);
  }
  ledger.keep_from(from);
}

}  // namespace models
