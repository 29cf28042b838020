// What the semaphore's flavours from Linux 5.3 on share: the handoff, and how writers spin and queue.
//
// Models those functions of kernel/locking/rwsem.c that are the same in 5.10 and in 6.1, by their names there.
// Ownership is not passed on: a release wakes the writer at the head of the queue, and that one tries when it runs;
// meanwhile whoever comes by may take the semaphore. Who has stood first and failed for RWSEM_WAIT_TIMEOUT sets the
// handoff bit, which keeps everybody out but the first in the queue. What differs, above all the readers' way in, is in
// models/locking/rwsem_reader_spin.h and models/locking/rwsem_spin_handoff.h, and so are the limits of the model.
#pragma once

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "models/locking/rwsem_queue.h"
#include "models/measure/blame.h"
#include "sim/time.h"

namespace models {

/// RWSEM_WAIT_TIMEOUT: who has waited longer in the queue, and fails, asks for the handoff.
///
/// Kernel. DIV_ROUND_UP(HZ, 250) ticks, and time_after(jiffies, timeout): N ticks, rounded up from 4 ms, have passed
/// when the tick after them has come. So it takes 4 to 8 ms at HZ 250, 4 to 5 ms at 1000, 10 to 20 ms at 100. The ticks
/// are those of the scheduler (models/sched/cpu.h): at multiples of 1/HZ.
class RwsemTimeout {
 public:
  /// `tick`: 1/HZ, > 0.
  explicit RwsemTimeout(sim::Nanoseconds tick) : tick_(tick), ticks_((kLeast + tick - sim::Nanoseconds{1}) / tick) {
    assert(tick > sim::Nanoseconds{0});
  }

  [[nodiscard]] bool has_passed(sim::Time since, sim::Time now) const { return jiffies(now) > jiffies(since) + ticks_; }
  /// The first moment at which it has.
  [[nodiscard]] sim::Time end(sim::Time since) const { return sim::Time{(jiffies(since) + ticks_ + 1) * tick_}; }

 private:
  static constexpr sim::Nanoseconds kLeast = std::chrono::milliseconds{4};

  [[nodiscard]] std::int64_t jiffies(sim::Time time) const { return time.time_since_epoch() / tick_; }

  sim::Nanoseconds tick_;
  std::int64_t ticks_;
};

/// MAX_READERS_WAKEUP: the most readers that one call lets in.
inline constexpr std::size_t kMaxReadersWakeup = 0x100;

template <class Waiter>
struct HandoffQueued {
  Waiter waiter;
  LockMode mode;
  sim::Time since;
  bool handoff_set = false;  ///< at the head, and asked for the handoff
};

/// A writer calls down_write; if that fails and may_spin, it joins the spinners and, each time that it is the first of
/// them and something has changed, calls spin until that takes the semaphore or gives up; then it calls queue_write.
template <class Waiter, class Entry = HandoffQueued<Waiter>>
class HandoffRwsem : public RwsemQueue<Waiter, Entry>, public RwsemSpinners<Waiter> {
 public:
  using Wakes = RwsemWakes<Waiter>;
  using Read = RwsemRead;
  using Try = RwsemTry;
  using Spin = RwsemSpin;

  /// Returns whether somebody has to be woken: call wake. Precondition: held for read.
  [[nodiscard]] bool release_read() {
    assert(readers_ > 0);
    if (--readers_ > 0 || queue_.empty()) return false;
    nonspinnable_ = false;
    return true;
  }

  /// rwsem_rspin_threshold: how long a writer spins on readers at most.
  [[nodiscard]] sim::Nanoseconds reader_spin_limit() const {
    return sim::Nanoseconds{std::chrono::microseconds{20 + std::min<std::size_t>(readers_, 30)}} / 2;
  }

  /// Only the first in the queue may take it.
  [[nodiscard]] bool handoff() const { return handoff_; }
  /// A writer's spinning on these readers has been in vain.
  [[nodiscard]] bool nonspinnable() const { return nonspinnable_; }
  /// The last to take it were readers, which may be gone.
  [[nodiscard]] bool reader_owned() const { return reader_owned_; }

 protected:
  using Base = RwsemQueue<Waiter, Entry>;
  using Base::queue_;
  using Base::readers_;
  using Base::writer_;
  using typename Base::Place;

  explicit HandoffRwsem(sim::Nanoseconds tick) : timeout_(tick) {}

  // rwsem_set_owner: clears the flags of readers.
  void set_writer() {
    writer_ = true;
    reader_owned_ = false;
    nonspinnable_ = false;
  }

  // rwsem_write_trylock: nobody holds it and nobody queues.
  [[nodiscard]] bool try_write_at_once() {
    if (!Base::is_free() || !queue_.empty()) return false;
    set_writer();
    return true;
  }

  // rwsem_can_spin_on_owner for a writer.
  [[nodiscard]] bool writer_may_spin(bool owner_on_cpu) const { return !nonspinnable_ && (!writer_ || owner_on_cpu); }
  // rwsem_try_write_lock_unqueued, if the nonspinnable bit does not stop it before.
  [[nodiscard]] bool spinning_writer_could_take() const { return !nonspinnable_ && Base::is_free() && !handoff_; }
  // One round of rwsem_optimistic_spin for a writer that is the first of the spinners.
  [[nodiscard]] Spin spin_to_write(bool owner_on_cpu) {
    if (!writer_may_spin(owner_on_cpu)) {
      this->leave_as_first();
      return Spin::give_up;
    }
    if (writer_) return Spin::on_writer;
    if (!spinning_writer_could_take()) return reader_owned_ ? Spin::on_readers : Spin::on_nobody;
    this->leave_as_first();
    set_writer();
    return Spin::taken;
  }

  // rwsem_try_write_lock. A newcomer may take it although others stand before it.
  [[nodiscard]] Try try_write(Place place, sim::Time now) {
    Entry& first = queue_.front();
    const bool is_first = place == queue_.begin();
    if (handoff_ && first.handoff_set && !is_first) return Try::sleep;
    if (Base::is_free()) {
      queue_.erase(place);
      set_writer();
      handoff_ = false;
      return Try::taken;
    }
    if (timeout_.has_passed(place->since, now)) ask_for_handoff();
    return place->handoff_set ? Try::spin_on_owner : Try::sleep;
  }

  void ask_for_handoff() {
    if (std::exchange(handoff_, true)) return;
    queue_.front().handoff_set = true;
  }

  // The end of rwsem_mark_wake: readers from anywhere in the queue; writers keep their order.
  void let_readers_in(Wakes& wakes) {
    std::size_t let_in = 0;
    const auto enters = [&](const Entry& each) {
      if (each.mode == LockMode::write || let_in == kMaxReadersWakeup) return false;
      ++let_in;
      ++readers_;
      wakes.granted.push_back(each.waiter);
      return true;
    };
    std::deque<Entry> staying;
    for (const Entry& each : queue_) {
      if (!enters(each)) staying.push_back(each);
    }
    queue_ = std::move(staying);
    reader_owned_ = true;
    handoff_ = false;
  }

  RwsemTimeout timeout_;
  bool handoff_ = false;
  bool nonspinnable_ = false;
  bool reader_owned_ = false;
};

}  // namespace models
