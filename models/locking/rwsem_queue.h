// What the flavours of the semaphore share: who holds it, who queues, who stands in line to spin.
//
// Each flavour has a file of its own and follows its own source there. Here is only what is the same in all: the queue
// (the kernel's wait_list), the count of holders, the line of spinners (the OSQ), and the words in which a flavour says
// what it decided. Free of time, costs and tasks.
#pragma once

#include <algorithm>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "models/measure/blame.h"
#include "sim/time.h"

namespace models {

/// What a call decided about others.
template <class Waiter>
struct RwsemWakes {
  std::vector<Waiter> granted;   ///< those who hold the semaphore from now on, in the order of their waking
  std::optional<Waiter> to_try;  ///< the writer at the head of the queue: is to wake up and to try_queued_write
};

/// What became of a reader. `stolen`: taken past the queue.
enum class RwsemRead { taken, stolen, queued };

/// What became of a queued writer's try.
enum class RwsemTry {
  taken,
  sleep,          ///< until woken to try
  spin_on_owner,  ///< it has the handoff: may stay awake while the owner is a writer on a CPU
};

/// What one round of spinning came to. `give_up` and `taken`: it no longer spins.
enum class RwsemSpin { taken, on_nobody, on_writer, on_readers, give_up };

/// `Waiter` is whatever the caller knows its tasks by.
template <class Waiter>
struct RwsemQueued {
  Waiter waiter;
  LockMode mode;
};

/// Who holds it and who queues. `Entry` has a waiter and a mode at least.
template <class Waiter, class Entry = RwsemQueued<Waiter>>
class RwsemQueue {
 public:
  using Queued = Entry;

  [[nodiscard]] std::size_t readers() const { return readers_; }
  [[nodiscard]] bool write_held() const { return writer_; }
  [[nodiscard]] const std::deque<Queued>& queue() const { return queue_; }
  [[nodiscard]] std::size_t queue_length() const { return queue_.size(); }
  /// The longest-queueing of all.
  [[nodiscard]] std::optional<Waiter> head() const {
    return queue_.empty() ? std::nullopt : std::optional(queue_.front().waiter);
  }
  /// The longest-queueing writer.
  [[nodiscard]] std::optional<Waiter> first_writer() const {
    const auto found =
        std::find_if(queue_.begin(), queue_.end(), [](const Queued& each) { return each.mode == LockMode::write; });
    return found == queue_.end() ? std::nullopt : std::optional(found->waiter);
  }

 protected:
  using Place = typename std::deque<Queued>::iterator;

  [[nodiscard]] bool is_free() const { return !writer_ && readers_ == 0; }
  [[nodiscard]] bool reader_heads_queue() const { return !queue_.empty() && queue_.front().mode == LockMode::read; }

  // Whether wakes grants it to `waiter`, who has just queued: then it has it, and is not to be woken.
  static bool granted_to(const Waiter& waiter, RwsemWakes<Waiter>& wakes) {
    if (wakes.granted.empty() || wakes.granted.back() != waiter) return false;
    wakes.granted.pop_back();
    return true;
  }

  // The readers at the head, up to the first writer.
  void let_front_readers_in(std::vector<Waiter>& granted) {
    while (reader_heads_queue()) {
      ++readers_;
      granted.push_back(queue_.front().waiter);
      queue_.pop_front();
    }
  }

  std::deque<Queued> queue_;
  std::size_t readers_ = 0;
  bool writer_ = false;
};

/// osq_lock: spinners stand in line, and only the first looks at the semaphore.
template <class Waiter>
class RwsemSpinners {
 public:
  struct Spinner {
    Waiter waiter;
    LockMode mode;
  };

  void join_spinners(const Waiter& waiter, LockMode mode = LockMode::write) { spinners_.push_back({waiter, mode}); }
  /// Precondition: `waiter` spins.
  void leave_spinners(const Waiter& waiter) {
    const auto place =
        std::find_if(spinners_.begin(), spinners_.end(), [&](const Spinner& each) { return each.waiter == waiter; });
    assert(place != spinners_.end());
    spinners_.erase(place);
  }
  [[nodiscard]] const std::deque<Spinner>& spinners() const { return spinners_; }

 protected:
  void leave_as_first() {
    assert(!spinners_.empty());
    spinners_.pop_front();
  }

 private:
  std::deque<Spinner> spinners_;
};

/// Rules by which a release does not make a queued writer the owner but wakes it to try. The time of a call is an
/// argument, as is whether the owner is on a CPU; `release_*` says whether somebody has to be woken.
template <class Rules, class Waiter>
concept WritersTry = requires(Rules rules, Waiter waiter, sim::Time now, RwsemWakes<Waiter> wakes) {
  { rules.down_write() } -> std::same_as<bool>;
  { rules.queue_write(waiter, now, wakes) } -> std::same_as<RwsemTry>;
  { rules.try_queued_write(waiter, now) } -> std::same_as<RwsemTry>;
  { rules.release_read() } -> std::same_as<bool>;
  { rules.release_write() } -> std::same_as<bool>;
  rules.downgrade_write(wakes);
  rules.wake(now, wakes);
};

/// ... and a writer that comes may spin.
template <class Rules, class Waiter>
concept WritersSpin = WritersTry<Rules, Waiter> && requires(Rules rules, bool owner_on_cpu) {
  { rules.may_spin(owner_on_cpu) } -> std::same_as<bool>;
  { rules.spin(owner_on_cpu) } -> std::same_as<RwsemSpin>;
  { rules.spinner_is_ready() } -> std::same_as<bool>;
  { rules.let_spinner_in() } -> std::same_as<std::optional<Waiter>>;
};

/// ... and a reader, too.
template <class Rules, class Waiter>
concept ReadersSpin = WritersSpin<Rules, Waiter> && requires(Rules rules, bool owner_on_cpu) {
  { rules.may_spin_to_read(owner_on_cpu) } -> std::same_as<bool>;
  { rules.reader_phase_trylock(rules.seen()) } -> std::same_as<bool>;
};

/// ... and spinning on readers is limited.
template <class Rules>
concept LimitsSpinningOnReaders = requires(Rules rules) {
  { rules.reader_spin_limit() } -> std::same_as<sim::Nanoseconds>;
  rules.reader_spin_expired();
};

/// ... and the first in the queue may keep everybody else out.
template <class Rules>
concept HandsOff = requires(const Rules rules) {
  { rules.handoff() } -> std::same_as<bool>;
};

}  // namespace models
