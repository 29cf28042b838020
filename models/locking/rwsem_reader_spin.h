// The state machine of the readers-writer semaphore of Linux 5.3 to 5.10: who holds, spins and queues, and who may try.
//
// Models the rules. The writers' are those of 6.1. Readers spin, too, in the same line: on a writer that runs, and the
// first in line takes the semaphore as soon as there is neither a writer nor a handoff, past the queue, also beside
// other readers. If its spinning was in vain but readers have got in meanwhile, it tries once more
// (rwsem_reader_phase_trylock). Two bits stop that: a writer that has spun on readers in vain sets both; then writers
// don't spin until those readers are gone, and readers no longer at all, until the bit for readers gets lost: each
// writer that queued under one of the bits, and each reader that queued under the readers', hands that one on when it
// gets in ("adaptive disabling"). Readers don't steal as in 5.11 and later: who does not spin, queues.
// Kernel. kernel/locking/rwsem.c of 5.10 (5.4's is the same here), each function by its name there; "locking/rwsem:
// Remove reader optimistic spinning" is of 5.11. Free of costs and tasks.
// Simplified. As for 6.1 (models/locking/rwsem_spin_handoff.h), and: "readers have got in meanwhile" looks at how often
// readers became owners, the kernel at whether the last one is another task.
// Validated by tests/models/locking/rwsem_reader_spin_test.cpp: all interleavings of up to four tasks.
#pragma once

#include <cassert>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>

#include "models/locking/rwsem_handoff.h"
#include "models/locking/rwsem_queue.h"
#include "models/measure/blame.h"
#include "sim/time.h"

namespace models {

template <class Waiter>
struct ReaderSpinQueued {
  Waiter waiter;
  LockMode mode;
  sim::Time since;
  bool saw_nonspinnable = false;  ///< when it came: a reader the readers' bit, a writer either
  bool handoff_set = false;       ///< at the head, and asked for the handoff
};

/// A reader calls down_read; if that fails, it remembers what it has seen; if may_spin_to_read, it joins the spinners
/// as a writer does, and if that was in vain calls reader_phase_trylock; then it calls queue_read.
template <class Waiter>
class ReaderSpinRwsem : public HandoffRwsem<Waiter, ReaderSpinQueued<Waiter>> {
 public:
  using Base = HandoffRwsem<Waiter, ReaderSpinQueued<Waiter>>;
  using typename Base::Read;
  using typename Base::Spin;
  using typename Base::Try;
  using typename Base::Wakes;

  /// `tick`: 1/HZ.
  explicit ReaderSpinRwsem(sim::Nanoseconds tick = std::chrono::milliseconds{4}) : Base(tick) {}

  // Readers.

  /// rwsem_read_trylock.
  [[nodiscard]] bool down_read() {
    if (writer_ || !queue_.empty()) return false;
    add_reader();
    return true;
  }

  /// What a reader finds when down_read has failed (waiter.last_rowner).
  struct Seen {
    std::uint64_t reader_owners;
    bool nonspinnable;
  };
  [[nodiscard]] Seen seen() const { return {reader_owners_, readers_nonspinnable_}; }

  /// rwsem_can_spin_on_owner for a reader.
  [[nodiscard]] bool may_spin_to_read(bool owner_on_cpu) const {
    return !readers_nonspinnable_ && (!writer_ || owner_on_cpu);
  }

  /// It has got it by spinning: the readers come along if one of them heads the queue.
  void wake_readers(Wakes& wakes) {
    if (Base::reader_heads_queue()) Base::let_readers_in(wakes);
  }

  /// By a reader that spun in vain.
  [[nodiscard]] bool reader_phase_trylock(const Seen& seen) {
    if (!reader_owned_ || seen.reader_owners == reader_owners_ || !spinning_reader_could_take()) return false;
    add_reader();
    return true;
  }

  /// The rest of rwsem_down_read_slowpath: never `stolen`.
  Read queue_read(const Waiter& waiter, const Seen& seen, sim::Time now, Wakes& wakes) {
    const bool is_first = queue_.empty();
    queue_.push_back({waiter, LockMode::read, now, seen.nonspinnable});
    if (Base::is_free()) nonspinnable_ = false;
    if (Base::is_free() || (!writer_ && is_first)) wake(now, wakes);
    return Base::granted_to(waiter, wakes) ? Read::taken : Read::queued;
  }

  // Writers.

  /// __down_write.
  [[nodiscard]] bool down_write() {
    if (!Base::try_write_at_once()) return false;
    readers_nonspinnable_ = false;
    return true;
  }

  /// rwsem_can_spin_on_owner for a writer.
  [[nodiscard]] bool may_spin(bool owner_on_cpu) const { return Base::writer_may_spin(owner_on_cpu); }

  /// rwsem_down_write_slowpath up to its first try, which may succeed although others stand before it.
  [[nodiscard]] Try queue_write(const Waiter& waiter, sim::Time now, Wakes& wakes) {
    queue_.push_back({waiter, LockMode::write, now, nonspinnable_ || readers_nonspinnable_});
    if (queue_.size() > 1 && !writer_) wake_before_queueing(now, wakes);
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
    readers_nonspinnable_ = false;
    return !queue_.empty();
  }

  /// Becomes a reader; readers at the head of the queue come along, with all others. Precondition: held for write.
  void downgrade_write(Wakes& wakes) {
    assert(writer_);
    writer_ = false;
    add_reader();
    wake_readers(wakes);
  }

  // Spinning.

  /// One round of rwsem_optimistic_spin for the first spinner, which on `taken` or `give_up` has left the others. A
  /// reader that has taken it calls wake_readers. `on_readers` is a writer's, and is to be limited to
  /// reader_spin_limit from the round that first says so: reader_spin_expired.
  [[nodiscard]] Spin spin(bool owner_on_cpu) {
    assert(!this->spinners().empty());
    if (this->spinners().front().mode == LockMode::read) return spin_to_read(owner_on_cpu);
    const Spin outcome = Base::spin_to_write(owner_on_cpu);
    if (outcome == Spin::taken) readers_nonspinnable_ = false;
    return outcome;
  }

  /// rwsem_set_nonspinnable by the first spinner, a writer that has spun on readers for reader_spin_limit and gives up.
  void reader_spin_expired() {
    if (reader_owned_ && !readers_nonspinnable_) nonspinnable_ = readers_nonspinnable_ = true;
    this->leave_as_first();
  }

  /// Between a release and wake: whether the first spinner could take it.
  [[nodiscard]] bool spinner_is_ready() const {
    if (this->spinners().empty()) return false;
    if (this->spinners().front().mode == LockMode::write) return Base::spinning_writer_could_take();
    return !readers_nonspinnable_ && spinning_reader_could_take();
  }
  /// It does; a reader calls wake_readers. Returns who that is, if anybody.
  [[nodiscard]] std::optional<Waiter> let_spinner_in() {
    if (!spinner_is_ready()) return std::nullopt;
    const auto [waiter, mode] = this->spinners().front();
    this->leave_as_first();
    mode == LockMode::read ? add_reader() : take_by_spinning();
    return waiter;
  }

  // Waking.

  /// rwsem_wake, and rwsem_mark_wake(RWSEM_WAKE_ANY): the writer at the head is woken, whoever may have taken the
  /// semaphore meanwhile; readers are let in unless that was a writer.
  void wake(sim::Time now, Wakes& wakes) {
    if (queue_.empty()) return;
    if (!Base::reader_heads_queue()) {
      wakes.to_try = queue_.front().waiter;
    } else if (!writer_) {
      let_queued_readers_in(wakes);
    } else if (timeout_.has_passed(queue_.front().since, now)) {
      Base::ask_for_handoff();
    }
  }

  /// Readers don't spin (RWSEM_RD_NONSPINNABLE); nonspinnable() is the writers' bit.
  [[nodiscard]] bool readers_nonspinnable() const { return readers_nonspinnable_; }

 private:
  using Base::handoff_;
  using Base::nonspinnable_;
  using Base::queue_;
  using Base::reader_owned_;
  using Base::readers_;
  using Base::timeout_;
  using Base::writer_;
  using typename Base::Place;

  // __rwsem_set_reader_owned: keeps the readers' bit, and clears the writers'.
  void set_reader_owned() {
    reader_owned_ = true;
    nonspinnable_ = false;
    ++reader_owners_;
  }
  void add_reader() {
    ++readers_;
    set_reader_owned();
  }
  void take_by_spinning() {
    Base::set_writer();
    readers_nonspinnable_ = false;
  }

  // rwsem_try_read_lock_unqueued.
  [[nodiscard]] bool spinning_reader_could_take() const { return !writer_ && !handoff_; }
  // A reader may spin as long as there is a handoff to somebody else: without the limit that a writer has.
  [[nodiscard]] Spin spin_to_read(bool owner_on_cpu) {
    if (!may_spin_to_read(owner_on_cpu)) {
      this->leave_as_first();
      return Spin::give_up;
    }
    if (writer_) return Spin::on_writer;
    if (handoff_) return Spin::on_nobody;
    this->leave_as_first();
    add_reader();
    return Spin::taken;
  }

  // With rwsem_disable_reader_optspin: it hands on what it saw. Either bit keeps one that has the handoff from spinning
  // on the owner.
  [[nodiscard]] Try try_write(Place place, sim::Time now) {
    const bool saw_nonspinnable = place->saw_nonspinnable;
    const Try outcome = Base::try_write(place, now);
    if (outcome == Try::taken) readers_nonspinnable_ = saw_nonspinnable;
    const bool may_spin = !nonspinnable_ && !readers_nonspinnable_;
    return outcome == Try::spin_on_owner && !may_spin ? Try::sleep : outcome;
  }

  // By a writer behind others, while no writer holds it: RWSEM_WAKE_READERS beside readers, RWSEM_WAKE_ANY otherwise.
  void wake_before_queueing(sim::Time now, Wakes& wakes) {
    if (readers_ == 0 || Base::reader_heads_queue()) wake(now, wakes);
  }

  // The first of them becomes the owner, and hands on what it saw.
  void let_queued_readers_in(Wakes& wakes) {
    if (queue_.front().saw_nonspinnable) readers_nonspinnable_ = true;
    set_reader_owned();
    Base::let_readers_in(wakes);
  }

  bool readers_nonspinnable_ = false;
  std::uint64_t reader_owners_ = 0;  // how often readers became owners
};

}  // namespace models
