// The state machine of the readers-writer semaphore of Linux 3.16 to 5.2: who holds, spins and queues, and who may try.
//
// Models the rules. They are those of 3.10 (models/locking/rwsem_writer_steal.h), and a writer that finds a writer
// inside spins as long as that one runs, and takes the semaphore, past the queue, as soon as nobody holds it. Nothing
// bounds how often: there is neither a time-out nor a handoff. Nobody spins on readers, and readers neither spin nor
// steal. Kernel. kernel/locking/rwsem-xadd.c of 4.5, each function by its name there. ("locking/rwsem: Support
// optimistic spinning" is of 3.16; the rewrite with handoff, which deleted the file, is of 5.3.) Free of costs and
// tasks. Simplified. As for 3.10, and: the years' differences are left out. Up to 4.0 a spinner gave up when another
// writer got in, later it goes on spinning on that one; from 4.1 on a release does not wait for the queue's spinlock
// when somebody spins; from 4.8 on the mark of the last readers stays when they have left, so that who finds it queues,
// and tries at once. One choice is left to the caller: whether the first spinner takes it before the readers of the
// queue do. Validated by tests/models/locking/rwsem_writer_spin_test.cpp: all interleavings of up to four tasks.
#pragma once

#include <cassert>
#include <optional>

#include "models/locking/rwsem_queue.h"
#include "models/locking/rwsem_writer_steal.h"

namespace models {

/// A writer calls down_write; if that fails and may_spin, it joins the spinners and, each time that it is the first of
/// them and something has changed, calls spin until that takes the semaphore or gives up; then it calls queue_write.
template <class Waiter>
class WriterSpinRwsem : public WriterStealRwsem<Waiter>, public RwsemSpinners<Waiter> {
 public:
  using Spin = RwsemSpin;

  /// rwsem_can_spin_on_owner.
  [[nodiscard]] bool may_spin(bool owner_on_cpu) const { return writer_ ? owner_on_cpu : readers_ == 0; }

  /// One round of rwsem_optimistic_spin for the first spinner, which on `taken` or `give_up` has left the others.
  [[nodiscard]] Spin spin(bool owner_on_cpu) {
    assert(!this->spinners().empty());
    if (writer_ && owner_on_cpu) return Spin::on_writer;
    this->leave_as_first();
    if (!spinner_could_take()) return Spin::give_up;
    writer_ = true;
    return Spin::taken;
  }

  /// Between a release and wake: whether the first spinner could take it (rwsem_try_write_lock_unqueued).
  [[nodiscard]] bool spinner_is_ready() const { return !this->spinners().empty() && spinner_could_take(); }
  /// It does. Returns who that is, if anybody.
  [[nodiscard]] std::optional<Waiter> let_spinner_in() {
    if (!spinner_is_ready()) return std::nullopt;
    const Waiter waiter = this->spinners().front().waiter;
    this->leave_as_first();
    writer_ = true;
    return waiter;
  }

 private:
  using Base = WriterStealRwsem<Waiter>;
  using Base::readers_;
  using Base::writer_;

  [[nodiscard]] bool spinner_could_take() const { return Base::is_free(); }
};

}  // namespace models
