// The mmap_lock of one address space of a trace: who holds it, who waits for it, and since when.
//
// What is counted is what models/locking/rwsem.h counts of a simulated one, in the same values. A wait is one between
// start_locking and acquire_returned during which somebody held the lock in a mode that kept it out, or that slept for
// it (contention_begin): the time between the two events alone tells nothing, as it is never zero, and a writer that
// spins on the holder leaves no contention event.
//
// Robust: who takes the lock in a mode that another hold forbids shows that this one is over, its `released` being lost
// or yet to come (clocks differ); a second acquire_returned of a holder for write is a downgrade.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/measure/lock_statistics.h"
#include "sim/time.h"

namespace experiments {

struct TracedThread;

class TracedLock {
 public:
  struct Waiter {
    TracedThread* thread;
    models::LockMode mode;
    models::Phase phase;
    sim::Time since;
    bool contends = false;     ///< it has to wait
    bool slept = false;        ///< and not only to spin
    bool seen_holder = false;  ///< somebody has kept it out meanwhile
  };
  struct Holder {
    TracedThread* thread;
    models::LockMode mode;
    models::Phase phase;
  };

  /// `comm`: the name of the first thread that asks for it.
  TracedLock(std::uint64_t mm, std::string_view comm) : mm_(mm), comm_(comm) {}
  TracedLock(const TracedLock&) = delete;
  TracedLock& operator=(const TracedLock&) = delete;

  // Each changes who holds it or waits for it. Before and after a change of who keeps others out the analysis charges
  // those who wait.
  void ask(TracedThread& thread, models::LockMode mode, models::Phase phase, sim::Time now);
  /// It sleeps for the lock. Precondition: it has asked.
  void sleep(TracedThread& thread, sim::Time now);
  /// It has got it, having asked or not (a try).
  void take(TracedThread& thread, models::LockMode mode, models::Phase phase, sim::Time now);
  /// Who holds it for write holds it for read from now on.
  void downgrade(TracedThread& thread, models::Phase phase);
  /// It no longer asks: a try has failed, or its acquire_returned was lost.
  void give_up(const TracedThread& thread, sim::Time now);
  /// It holds it no more: the length of the hold is counted elsewhere.
  void drop(const TracedThread& thread);

  /// Whether somebody keeps others out, and who: the one who has held it for longest.
  [[nodiscard]] const Holder* front() const { return holders_.empty() ? nullptr : &holders_.front(); }
  [[nodiscard]] std::vector<Waiter>& waiters() { return waiters_; }
  [[nodiscard]] Waiter* waiter(const TracedThread& thread);
  /// How many wait for it that somebody has kept out.
  [[nodiscard]] std::int64_t contending() const { return contending_; }
  /// The first writer that waits; null without any.
  [[nodiscard]] const Waiter* first_writer() const;

  [[nodiscard]] models::RwsemStatistics& statistics() { return statistics_; }
  /// With those who wait still at `end`.
  [[nodiscard]] models::RwsemStatistics statistics_at(sim::Time end) const;
  [[nodiscard]] std::uint64_t mm() const { return mm_; }
  [[nodiscard]] const std::string& comm() const { return comm_; }

  /// What the lockers among its threads are doing.
  [[nodiscard]] models::Phase phase() const { return calls_.empty() ? models::Phase::idle : calls_.back().phase; }
  void enter(const TracedThread& thread, models::Phase call) { calls_.push_back({&thread, call}); }
  void leave(const TracedThread& thread);

 private:
  struct LockerCall {
    const TracedThread* thread;
    models::Phase phase;
  };

  [[nodiscard]] bool keeps_out(models::LockMode mode) const;
  void contend(Waiter& waiter, sim::Time now);
  void let_in(const Waiter& waiter, sim::Time now);
  void end_convoy(sim::Time now);

  std::uint64_t mm_;
  std::string comm_;
  std::vector<Holder> holders_;    // the longest hold first
  std::vector<Waiter> waiters_;    // all who have asked, in the order in which they did
  std::vector<LockerCall> calls_;  // under way, in the order in which they were entered
  std::int64_t contending_ = 0;
  std::optional<sim::Time> convoy_since_;
  std::uint64_t convoy_readers_ = 0;
  models::RwsemStatistics statistics_;
};

}  // namespace experiments
