// The state machine of the readers-writer semaphore of Linux 3.10 to 3.15: who holds, who queues, who may try.
//
// Models the rules. Ownership is no longer passed on to a writer: a release wakes the writer at the head of the queue,
// and that one tries when it runs. A writer that comes queues at the tail and tries at once, so it steals what nobody
// holds, and nothing bounds how often. Readers never steal: they queue behind any waiter, and are granted it from the
// front of the queue up to the first writer, however many they are. Nobody spins. Kernel. lib/rwsem.c of 3.10, each
// function by its name there (down_read's and down_write's first try is in assembler; stealing on the way past the
// queue came in 3.10, "rwsem: implement support for write lock stealing on the fastpath"). Free of costs and tasks.
// Simplified. Each call is atomic, so the count never shows somebody who is about to back out; a release and the
// wake-up that follows it are two calls. Validated by tests/models/locking/rwsem_writer_steal_test.cpp: all
// interleavings of up to four tasks.
#pragma once

#include <cassert>
#include <iterator>

#include "models/locking/rwsem_queue.h"
#include "models/measure/blame.h"
#include "sim/time.h"

namespace models {

/// A writer calls down_write, and if that fails queue_write; then, whenever it is woken, try_queued_write.
template <class Waiter>
class WriterStealRwsem : public RwsemQueue<Waiter> {
 public:
  using Wakes = RwsemWakes<Waiter>;
  using Read = RwsemRead;
  using Try = RwsemTry;

  // Readers.

  /// __down_read and rwsem_down_read_failed: never `stolen`.
  Read down_read(const Waiter& waiter, sim::Time now, Wakes& wakes) {
    if (!writer_ && queue_.empty()) {
      ++readers_;
      return Read::taken;
    }
    queue_.push_back({waiter, LockMode::read});
    if (!Base::is_free()) return Read::queued;
    wake(now, wakes);
    return Base::granted_to(waiter, wakes) ? Read::taken : Read::queued;
  }

  /// Returns whether somebody has to be woken: call wake. Precondition: held for read.
  [[nodiscard]] bool release_read() {
    assert(readers_ > 0);
    return --readers_ == 0 && !queue_.empty();
  }

  // Writers.

  /// __down_write: nobody holds it and nobody queues.
  [[nodiscard]] bool down_write() {
    if (!Base::is_free() || !queue_.empty()) return false;
    writer_ = true;
    return true;
  }

  /// rwsem_down_write_failed up to its first try, which may succeed although others stand before it.
  [[nodiscard]] Try queue_write(const Waiter& waiter, sim::Time /*now*/, Wakes& wakes) {
    // RWSEM_WAKE_READERS: those who could have been inside already.
    if (readers_ > 0) Base::let_front_readers_in(wakes.granted);
    queue_.push_back({waiter, LockMode::write});
    return try_write(std::prev(queue_.end()));
  }

  /// The same, when it has been woken. Precondition: it is at the head of the queue.
  [[nodiscard]] Try try_queued_write([[maybe_unused]] const Waiter& waiter, sim::Time /*now*/) {
    assert(!queue_.empty() && queue_.front().waiter == waiter && queue_.front().mode == LockMode::write);
    return try_write(queue_.begin());
  }

  /// Returns whether somebody has to be woken: call wake. Precondition: held for write.
  [[nodiscard]] bool release_write() {
    assert(writer_);
    writer_ = false;
    return !queue_.empty();
  }

  /// Becomes a reader; the readers at the head of the queue come along, up to the first writer (rwsem_downgrade_wake).
  /// Precondition: held for write.
  void downgrade_write(Wakes& wakes) {
    assert(writer_);
    writer_ = false;
    ++readers_;
    Base::let_front_readers_in(wakes.granted);
  }

  // Waking.

  /// rwsem_wake, and __rwsem_do_wake(RWSEM_WAKE_ANY): the writer at the head is woken, whoever may have taken the
  /// semaphore meanwhile; readers are let in unless that was a writer.
  void wake(sim::Time /*now*/, Wakes& wakes) {
    if (queue_.empty()) return;
    if (!Base::reader_heads_queue()) {
      wakes.to_try = queue_.front().waiter;
    } else if (!writer_) {
      Base::let_front_readers_in(wakes.granted);
    }
  }

 protected:
  using Base = RwsemQueue<Waiter>;
  using Base::queue_;
  using Base::readers_;
  using Base::writer_;

 private:
  Try try_write(typename Base::Place place) {
    if (!Base::is_free()) return Try::sleep;
    queue_.erase(place);
    writer_ = true;
    return Try::taken;
  }
};

}  // namespace models
