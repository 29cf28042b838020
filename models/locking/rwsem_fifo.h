// The state machine of the readers-writer semaphore of Linux 2.6.28: who holds, who queues, who is let in.
//
// Models lib/rwsem.c of 2.6.28 (down_read, down_write, up_read, up_write, downgrade_write, __rwsem_do_wake): one
// FIFO queue and nobody overtakes. Free of time, costs and tasks, so that all its histories can be explored.
// Simplified. Each operation is atomic; in the kernel the fast path and the queue can race, and the slow path
// re-checks for it, with the same outcome.
// Validated by tests/models/locking/rwsem_fifo_test.cpp: all interleavings of up to four tasks against a specification.
#pragma once

#include <cassert>
#include <vector>

#include "models/locking/rwsem_queue.h"
#include "models/measure/blame.h"

namespace models {

/// `Waiter` is whatever the caller knows its waiters by. Calls that can let waiters in append them to `granted`
/// in the order in which they are to be woken; they hold the semaphore from that moment.
template <class Waiter>
class FifoRwsem : public RwsemQueue<Waiter> {
 public:
  /// Takes it if nobody is in the way; otherwise queues `waiter` and returns false.
  bool down(LockMode mode, Waiter waiter) { return mode == LockMode::read ? down_read(waiter) : down_write(waiter); }

  bool down_read(Waiter waiter) {
    if (writer_ || !queue_.empty()) {
      queue_.push_back({waiter, LockMode::read});
      return false;
    }
    ++readers_;
    return true;
  }

  bool down_write(Waiter waiter) {
    if (writer_ || readers_ > 0 || !queue_.empty()) {
      queue_.push_back({waiter, LockMode::write});
      return false;
    }
    writer_ = true;
    return true;
  }

  /// The last reader lets in the head of the queue. Precondition: held for read.
  void up_read(std::vector<Waiter>& granted) {
    assert(readers_ > 0);
    if (--readers_ == 0) let_head_in(granted);
  }

  /// Lets in the writer at the head, or the readers up to the first writer. Precondition: held for write.
  void up_write(std::vector<Waiter>& granted) {
    assert(writer_);
    writer_ = false;
    let_head_in(granted);
  }

  /// Becomes a reader and lets in the readers at the head, up to the first writer. Precondition: held for write.
  void downgrade_write(std::vector<Waiter>& granted) {
    assert(writer_);
    writer_ = false;
    readers_ = 1;
    Base::let_front_readers_in(granted);
  }

 private:
  using Base = RwsemQueue<Waiter>;
  using Base::queue_;
  using Base::readers_;
  using Base::writer_;

  void let_head_in(std::vector<Waiter>& granted) {
    if (queue_.empty()) return;
    if (Base::reader_heads_queue()) return Base::let_front_readers_in(granted);
    writer_ = true;
    granted.push_back(queue_.front().waiter);
    queue_.pop_front();
  }
};

}  // namespace models
