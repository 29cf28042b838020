// The state machine of the readers-writer semaphore of Linux 6.1: who holds, who spins, who queues, who may try.
//
// Models the rules of 5.11 and later. Writers spin, on readers for a while, too, and take the semaphore ahead of the
// queue; readers don't spin, but steal what nobody holds. Only readers are granted it while they queue. Who stood first
// in vain for RWSEM_WAIT_TIMEOUT keeps everybody else out (models/locking/rwsem_handoff.h). Kernel.
// kernel/locking/rwsem.c of 6.1, each function by its name there. Free of costs and tasks: the time is an argument, and
// whether the owner is on a CPU is asked of the caller, so that all histories can be explored.
// Simplified. Each call is atomic, so the count never shows a reader that is about to back out; a release and the
// wake-up that follows it are two calls, because spinners get in between. Nobody is a real-time task or is interrupted
// by a signal. One choice is left to the caller: whether the first spinner takes it before the readers of the queue do.
// Validated by tests/models/locking/rwsem_spin_handoff_test.cpp: all interleavings of up to four tasks.
#pragma once

#include <cassert>
#include <chrono>
#include <iterator>
#include <optional>

#include "models/locking/rwsem_handoff.h"
#include "models/locking/rwsem_queue.h"
#include "models/measure/blame.h"
#include "sim/time.h"

namespace models {

template <class Waiter>
class SpinHandoffRwsem : public HandoffRwsem<Waiter> {
 public:
  using Base = HandoffRwsem<Waiter>;
  using typename Base::Read;
  using typename Base::Spin;
  using typename Base::Try;
  using typename Base::Wakes;

  /// `tick`: 1/HZ.
  explicit SpinHandoffRwsem(sim::Nanoseconds tick = std::chrono::milliseconds{4}) : Base(tick) {}

  // Readers.

  /// rwsem_read_trylock and rwsem_down_read_slowpath. `stolen`: taken past the queue, which is possible while nobody
  /// holds it; readers at the head of the queue then come along.
  Read down_read(const Waiter& waiter, sim::Time now, Wakes& wakes) {
    if (!writer_ && queue_.empty()) {
      add_reader();
      return Read::taken;
    }
    if (Base::is_free() && !handoff_) {
      add_reader();
      if (Base::reader_heads_queue()) Base::let_readers_in(wakes);
      return Read::stolen;
    }
    queue_.push_back({waiter, LockMode::read, now});
    wake_unless_written(now, wakes);
    return Base::granted_to(waiter, wakes) ? Read::taken : Read::queued;
  }

  // Writers.

  /// rwsem_write_trylock.
  [[nodiscard]] bool down_write() { return Base::try_write_at_once(); }

  /// rwsem_can_spin_on_owner.
  [[nodiscard]] bool may_spin(bool owner_on_cpu) const { return Base::writer_may_spin(owner_on_cpu); }

  /// One round of rwsem_optimistic_spin for the first spinner, which on `taken` or `give_up` has left the others.
  /// `on_readers` is to be limited to reader_spin_limit from the round that first says so: reader_spin_expired.
  [[nodiscard]] Spin spin(bool owner_on_cpu) { return Base::spin_to_write(owner_on_cpu); }

  /// The first spinner has spun on readers for reader_spin_limit: it gives up, and nobody spins until they are gone.
  void reader_spin_expired() {
    nonspinnable_ = reader_owned_;
    this->leave_as_first();
  }

  /// rwsem_down_write_slowpath up to its first try, which may succeed although others stand before it.
  [[nodiscard]] Try queue_write(const Waiter& waiter, sim::Time now, Wakes& wakes) {
    queue_.push_back({waiter, LockMode::write, now});
    if (queue_.size() > 1) wake_unless_written(now, wakes);
    return Base::try_write(std::prev(queue_.end()), now);
  }

  /// rwsem_try_write_lock by the writer that was woken. Precondition: it is at the head of the queue.
  [[nodiscard]] Try try_queued_write([[maybe_unused]] const Waiter& waiter, sim::Time now) {
    assert(!queue_.empty() && queue_.front().waiter == waiter && queue_.front().mode == LockMode::write);
    return Base::try_write(queue_.begin(), now);
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
    if (Base::reader_heads_queue()) Base::let_readers_in(wakes);
  }

  // Waking.

  /// Between a release and wake: whether the first spinner could take it.
  [[nodiscard]] bool spinner_is_ready() const {
    return !this->spinners().empty() && Base::spinning_writer_could_take();
  }
  /// It does. Returns who that is, if anybody.
  [[nodiscard]] std::optional<Waiter> let_spinner_in() {
    if (!spinner_is_ready()) return std::nullopt;
    const Waiter waiter = this->spinners().front().waiter;
    this->leave_as_first();
    Base::set_writer();
    return waiter;
  }

  /// rwsem_wake, after a release that asked for it: the writer at the head is woken, whoever may have taken the
  /// semaphore meanwhile; readers are let in unless that was a writer.
  void wake(sim::Time now, Wakes& wakes) {
    if (!queue_.empty()) mark_wake(now, wakes);
  }

 private:
  using Base::handoff_;
  using Base::nonspinnable_;
  using Base::queue_;
  using Base::reader_owned_;
  using Base::readers_;
  using Base::timeout_;
  using Base::writer_;

  // __rwsem_set_reader_owned: keeps the nonspinnable bit.
  void add_reader() {
    ++readers_;
    reader_owned_ = true;
  }

  // rwsem_cond_wake_waiter, by somebody who has just queued.
  void wake_unless_written(sim::Time now, Wakes& wakes) {
    if (writer_) return;
    if (readers_ > 0) {
      if (Base::reader_heads_queue()) Base::let_readers_in(wakes);
      return;
    }
    nonspinnable_ = false;
    mark_wake(now, wakes);
  }

  // rwsem_mark_wake(RWSEM_WAKE_ANY).
  void mark_wake(sim::Time now, Wakes& wakes) {
    if (!Base::reader_heads_queue()) {
      wakes.to_try = queue_.front().waiter;
    } else if (!writer_) {
      Base::let_readers_in(wakes);
    } else if (timeout_.has_passed(queue_.front().since, now)) {
      Base::ask_for_handoff();
    }
  }
};

}  // namespace models
