// The state machine of the readers-writer semaphore of Linux 6.1: who holds, who spins, who queues, who may try.
//
// Models the rules. Ownership is not passed on: a release wakes the writer at the head of the queue, and that one tries
// when it runs; meanwhile whoever comes by may take the semaphore. Only readers are granted it while they queue. A
// writer that failed for more than 4 ms sets the handoff bit, which keeps everybody out but the first in the queue.
// Kernel. kernel/locking/rwsem.c of 6.1, each function by its name there. Free of costs and tasks: the time is an
// argument, and whether the owner is on a CPU is asked of the caller, so that all histories can be explored.
// Simplified. Each call is atomic, so the count never shows a reader that is about to back out; a release and the
// wake-up that follows it are two calls, because spinners get in between. Nobody is a real-time task or is interrupted
// by a signal. Waiting is counted in nanoseconds: with ticks, "more than 4 ms" ends up to one tick later. One choice is
// left to the caller: whether the first spinner takes it before the readers of the queue do. Validated by
// tests/models/locking/rwsem_spin_handoff_test.cpp: all interleavings of up to four tasks.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "models/measure/blame.h"
#include "sim/time.h"

namespace models {

/// RWSEM_WAIT_TIMEOUT: who has waited longer in the queue, and fails, asks for the handoff.
inline constexpr sim::Nanoseconds kRwsemWaitTimeout = std::chrono::milliseconds{4};
/// MAX_READERS_WAKEUP: the most readers that one call lets in.
inline constexpr std::size_t kMaxReadersWakeup = 0x100;

/// What a call decided about others.
template <class Waiter>
struct RwsemWakes {
  std::vector<Waiter> granted;   ///< readers that hold the semaphore from now on, in the order of their waking
  std::optional<Waiter> to_try;  ///< the writer at the head of the queue: is to wake up and to try_queued_write
};

/// `Waiter` is whatever the caller knows its tasks by.
///
/// A writer calls down_write; if that fails and may_spin, it joins the spinners and, each time that it is the first of
/// them and something has changed, calls spin until that takes the semaphore or gives up; then it calls queue_write.
template <class Waiter>
class SpinHandoffRwsem {
 public:
  using Wakes = RwsemWakes<Waiter>;

  // Readers.

  enum class Read { taken, stolen, queued };

  /// rwsem_read_trylock and rwsem_down_read_slowpath. `stolen`: taken past the queue, which is possible while nobody
  /// holds it; readers at the head of the queue then come along.
  Read down_read(const Waiter& waiter, sim::Time now, Wakes& wakes) {
    if (!writer_ && queue_.empty()) {
      add_reader();
      return Read::taken;
    }
    if (!writer_ && !handoff_ && readers_ == 0) {
      add_reader();
      if (queue_.front().mode == LockMode::read) let_readers_in(wakes);
      return Read::stolen;
    }
    queue_.push_back({waiter, LockMode::read, now, false});
    wake_unless_written(now, wakes);
    if (wakes.granted.empty() || wakes.granted.back() != waiter) return Read::queued;
    wakes.granted.pop_back();
    return Read::taken;
  }

  /// Returns whether somebody has to be woken: call wake. Precondition: held for read.
  [[nodiscard]] bool release_read() {
    assert(readers_ > 0);
    if (--readers_ > 0 || queue_.empty()) return false;
    nonspinnable_ = false;
    return true;
  }

  // Writers.

  /// rwsem_write_trylock: nobody holds it and nobody queues.
  [[nodiscard]] bool down_write() {
    if (writer_ || readers_ > 0 || !queue_.empty()) return false;
    set_writer();
    return true;
  }

  /// rwsem_can_spin_on_owner.
  [[nodiscard]] bool may_spin(bool owner_on_cpu) const { return !nonspinnable_ && (!writer_ || owner_on_cpu); }

  /// osq_lock: spinners stand in line, and only the first looks at the semaphore.
  void join_spinners(const Waiter& waiter) { spinners_.push_back(waiter); }
  /// Precondition: `waiter` spins.
  void leave_spinners(const Waiter& waiter) {
    const auto place = std::find(spinners_.begin(), spinners_.end(), waiter);
    assert(place != spinners_.end());
    spinners_.erase(place);
  }

  enum class Spin { taken, on_nobody, on_writer, on_readers, give_up };

  /// One round of rwsem_optimistic_spin for the first spinner, which on `taken` or `give_up` has left the others.
  /// `on_readers` is to be limited to reader_spin_limit from the round that first says so: reader_spin_expired.
  [[nodiscard]] Spin spin(bool owner_on_cpu) {
    assert(!spinners_.empty());
    if (!may_spin(owner_on_cpu)) {
      spinners_.pop_front();
      return Spin::give_up;
    }
    if (writer_) return Spin::on_writer;
    if (readers_ == 0 && !handoff_) {
      spinners_.pop_front();
      set_writer();
      return Spin::taken;
    }
    return reader_owned_ ? Spin::on_readers : Spin::on_nobody;
  }

  /// rwsem_rspin_threshold.
  [[nodiscard]] sim::Nanoseconds reader_spin_limit() const {
    return sim::Nanoseconds{std::chrono::microseconds{20 + std::min<std::size_t>(readers_, 30)}} / 2;
  }
  /// The first spinner has spun on readers for reader_spin_limit: it gives up, and nobody spins until they are gone.
  void reader_spin_expired() {
    assert(!spinners_.empty());
    nonspinnable_ = reader_owned_;
    spinners_.pop_front();
  }

  enum class Try {
    taken,
    sleep,          ///< until woken to try
    spin_on_owner,  ///< it has the handoff: may stay awake while the owner is a writer on a CPU
  };

  /// rwsem_down_write_slowpath up to its first try, which may succeed although others stand before it.
  [[nodiscard]] Try queue_write(const Waiter& waiter, sim::Time now, Wakes& wakes) {
    queue_.push_back({waiter, LockMode::write, now, false});
    if (queue_.size() > 1) wake_unless_written(now, wakes);
    return try_write(std::prev(queue_.end()), now);
  }

  /// rwsem_try_write_lock by the writer that was woken. Precondition: it is at the head of the queue.
  [[nodiscard]] Try try_queued_write([[maybe_unused]] const Waiter& waiter, sim::Time now) {
    assert(!queue_.empty() && queue_.front().waiter == waiter && queue_.front().mode == LockMode::write);
    return try_write(queue_.begin(), now);
  }

  /// Returns whether somebody has to be woken: call wake. Precondition: held for write.
  [[nodiscard]] bool release_write() {
    assert(writer_);
    writer_ = false;
    return !queue_.empty();
  }

  /// Becomes a reader; readers at the head of the queue come along, with all others. Precondition: held for write.
  void downgrade_write(Wakes& wakes) {
    assert(writer_);
    writer_ = false;
    add_reader();
    if (!queue_.empty() && queue_.front().mode == LockMode::read) let_readers_in(wakes);
  }

  // Waking.

  /// Between a release and wake: the first spinner, if it takes the semaphore.
  [[nodiscard]] std::optional<Waiter> let_spinner_in() {
    if (spinners_.empty() || !may_spin(true) || writer_ || readers_ > 0 || handoff_) return std::nullopt;
    const Waiter waiter = spinners_.front();
    spinners_.pop_front();
    set_writer();
    return waiter;
  }

  /// rwsem_wake, after a release that asked for it: the writer at the head is woken, whoever may have taken the
  /// semaphore meanwhile; readers are let in unless that was a writer.
  void wake(sim::Time now, Wakes& wakes) {
    if (!queue_.empty()) mark_wake(now, wakes);
  }

  // What it looks like.

  struct Queued {
    Waiter waiter;
    LockMode mode;
    sim::Time since;
    bool handoff_set;  ///< at the head, and asked for the handoff
  };

  [[nodiscard]] std::size_t readers() const { return readers_; }
  [[nodiscard]] bool write_held() const { return writer_; }
  /// Only the first in the queue may take it.
  [[nodiscard]] bool handoff() const { return handoff_; }
  /// Spinning on these readers has been in vain.
  [[nodiscard]] bool nonspinnable() const { return nonspinnable_; }
  /// The last to take it were readers, which may be gone.
  [[nodiscard]] bool reader_owned() const { return reader_owned_; }
  [[nodiscard]] const std::deque<Queued>& queue() const { return queue_; }
  [[nodiscard]] const std::deque<Waiter>& spinners() const { return spinners_; }
  [[nodiscard]] std::size_t queue_length() const { return queue_.size(); }
  /// The longest-queueing writer.
  [[nodiscard]] std::optional<Waiter> first_writer() const {
    const auto found =
        std::find_if(queue_.begin(), queue_.end(), [](const Queued& each) { return each.mode == LockMode::write; });
    return found == queue_.end() ? std::nullopt : std::optional(found->waiter);
  }

 private:
  using Place = typename std::deque<Queued>::iterator;

  // __rwsem_set_reader_owned: keeps the nonspinnable bit.
  void add_reader() {
    ++readers_;
    reader_owned_ = true;
  }
  // rwsem_set_owner: clears the flags of readers.
  void set_writer() {
    writer_ = true;
    reader_owned_ = false;
    nonspinnable_ = false;
  }

  Try try_write(Place place, sim::Time now) {
    Queued& first = queue_.front();
    const bool is_first = place == queue_.begin();
    if (handoff_ && first.handoff_set && !is_first) return Try::sleep;
    if (!writer_ && readers_ == 0) {
      queue_.erase(place);
      set_writer();
      handoff_ = false;
      return Try::taken;
    }
    if (!handoff_ && now - place->since > kRwsemWaitTimeout) {
      handoff_ = true;
      first.handoff_set = true;
    }
    return place->handoff_set ? Try::spin_on_owner : Try::sleep;
  }

  // rwsem_cond_wake_waiter, by somebody who has just queued.
  void wake_unless_written(sim::Time now, Wakes& wakes) {
    if (writer_) return;
    if (readers_ > 0) {
      if (queue_.front().mode == LockMode::read) let_readers_in(wakes);
      return;
    }
    nonspinnable_ = false;
    mark_wake(now, wakes);
  }

  // rwsem_mark_wake(RWSEM_WAKE_ANY).
  void mark_wake(sim::Time now, Wakes& wakes) {
    Queued& first = queue_.front();
    if (first.mode == LockMode::write) {
      wakes.to_try = first.waiter;
    } else if (!writer_) {
      let_readers_in(wakes);
    } else if (now - first.since > kRwsemWaitTimeout) {
      handoff_ = true;
      first.handoff_set = true;
    }
  }

  // The rest of rwsem_mark_wake: readers from anywhere in the queue; writers keep their order.
  void let_readers_in(Wakes& wakes) {
    std::size_t let_in = 0;
    const auto enters = [&](const Queued& each) {
      if (each.mode == LockMode::write || let_in == kMaxReadersWakeup) return false;
      ++let_in;
      add_reader();
      wakes.granted.push_back(each.waiter);
      return true;
    };
    std::deque<Queued> staying;
    for (const Queued& each : queue_) {
      if (!enters(each)) staying.push_back(each);
    }
    queue_ = std::move(staying);
    handoff_ = false;
  }

  std::deque<Queued> queue_;
  std::deque<Waiter> spinners_;
  std::size_t readers_ = 0;
  bool writer_ = false;
  bool handoff_ = false;
  bool nonspinnable_ = false;
  bool reader_owned_ = false;
};

}  // namespace models
