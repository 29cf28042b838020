// All histories of a semaphore under given rules: every task may take its next step at each point, every kind of
// section is tried, and nothing is sampled.
//
// Histories that lead to the same situation are followed once from there. Time is told only as far as it matters: the
// first in the queue may have waited longer than RWSEM_WAIT_TIMEOUT at any point. A release and its wake-up are two
// steps, so spinners and newcomers come before, between and after.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "models/locking/rwsem_queue.h"
#include "models/measure/blame.h"
#include "sim/time.h"

namespace tests {

enum class Section { read, write, downgrade };
inline constexpr std::array kSections{Section::read, Section::write, Section::downgrade};

enum class Stage {
  outside,
  spinning,
  before_queue,       // could not, or no longer, spin
  queued,             // asleep
  woken,              // a writer that is to try
  spinning_on_owner,  // first in the queue, with the handoff
  inside,
  downgraded,
  releasing,  // has left, and has still to wake somebody
};

inline constexpr sim::Time kEarly{};
// With a tick of 4 ms: that has to pass, and the time-out is over with the next one.
inline constexpr sim::Time kLate = kEarly + std::chrono::milliseconds{8};

inline constexpr std::size_t kMostTasks = 4;

struct Scope {
  std::size_t tasks;
  int sections;
  bool spinning;
  bool timeouts;
};

// What a spinning reader remembers, where readers spin.
template <class Rules>
struct SeenBy {
  using Type = int;
};
template <models::ReadersSpin<std::size_t> Rules>
struct SeenBy<Rules> {
  using Type = typename Rules::Seen;
};

template <class Rules>
struct Situation {
  struct Task {
    int sections_left = 0;
    Section section = Section::read;
    Stage stage = Stage::outside;
    bool waited_long = false;  // in the queue
    bool spun = false;
    typename SeenBy<Rules>::Type seen{};
  };

  [[nodiscard]] bool holds(std::size_t number) const {
    return tasks[number].stage == Stage::inside || tasks[number].stage == Stage::downgraded;
  }
  [[nodiscard]] bool reads(std::size_t number) const {
    return tasks[number].section == Section::read || tasks[number].stage == Stage::downgraded;
  }
  [[nodiscard]] std::optional<std::size_t> head() const { return rules.head(); }
  // What time it is only matters for the first in the queue.
  [[nodiscard]] sim::Time time() const { return head() && tasks[*head()].waited_long ? kLate : kEarly; }

  Rules rules;
  std::array<Task, kMostTasks> tasks;
};

/// `Rules`: of waiters that are numbers (std::size_t). `kReadersStandInLine`: no reader ever gets in past a writer that
/// has queued before it.
template <class Rules, bool kReadersStandInLine>
class Exploration {
 public:
  explicit Exploration(Scope scope) : scope_(scope) {
    World start;
    for (std::size_t number = 0; number < scope.tasks; ++number) start.tasks[number].sections_left = scope.sections;
    explore(start);
  }

  [[nodiscard]] std::size_t situations() const { return seen_.size(); }
  [[nodiscard]] std::uint64_t handoffs() const { return handoffs_; }
  /// Times that it was taken past a queue without spinning.
  [[nodiscard]] std::uint64_t steals() const { return steals_; }
  /// Times that it was taken by spinning, by writers and by readers.
  [[nodiscard]] std::uint64_t write_spins() const { return write_spins_; }
  [[nodiscard]] std::uint64_t read_spins() const { return read_spins_; }
  /// Times that a reader got it that had spun in vain.
  [[nodiscard]] std::uint64_t second_tries() const { return second_tries_; }

 private:
  using World = Situation<Rules>;
  using Wakes = models::RwsemWakes<std::size_t>;
  using Key = std::array<std::uint64_t, kMostTasks + 1>;
  using Queued = typename Rules::Queued;

  static constexpr bool kWritersSpin = models::WritersSpin<Rules, std::size_t>;
  static constexpr bool kReadersSpin = models::ReadersSpin<Rules, std::size_t>;
  static constexpr bool kHandsOff = models::HandsOff<Rules>;

  void require(bool holds, const char* what) {
    if (!holds && !std::exchange(failed_, true)) ADD_FAILURE() << what << "\n" << history();
  }

  void explore(const World& world) {
    if (failed_ || !see(world)) return;
    check(world);
    bool stuck = true;
    for (std::size_t number = 0; number < scope_.tasks; ++number) {
      each_step(world, number, [&](const char* name, const World& next) {
        stuck = false;
        steps_.push_back(std::to_string(number) + " " + name);
        check_step(world, next);
        explore(next);
        steps_.pop_back();
      });
    }
    const bool finished = std::all_of(world.tasks.begin(), world.tasks.end(), [](const auto& each) {
      return each.stage == Stage::outside && each.sections_left == 0;
    });
    require(stuck == finished, "nobody can do anything, but not all have finished");
  }

  // Calls `go` with each situation that a step of task `number` leads to.
  template <class Go>
  void each_step(const World& world, std::size_t number, const Go& go) {
    const auto& task = world.tasks[number];
    switch (task.stage) {
      case Stage::outside:
        if (task.sections_left == 0) return;
        for (const Section section : kSections) begin(world, number, section, go);
        return;
      case Stage::spinning:
        if constexpr (kWritersSpin) spin(world, number, go);
        return;
      case Stage::before_queue:
        return go("queues", task.section == Section::read ? queue_read(world, number) : queue_write(world, number));
      case Stage::queued:
        if (scope_.timeouts && world.head() == number && !task.waited_long) {
          World next = world;
          next.tasks[number].waited_long = true;
          go("has waited long", next);
        }
        return;
      case Stage::spinning_on_owner:
        if constexpr (kHandsOff) spin_on_owner(world, number, go);
        return;
      case Stage::woken:
        return go("tries", try_queued(world, number));
      case Stage::inside:
        if (task.section == Section::downgrade) return go("downgrades", downgrade(world, number));
        return go("leaves", release(world, number));
      case Stage::downgraded:
        return go("leaves", release(world, number));
      case Stage::releasing:
        return go("wakes", wake(world, number));
    }
  }

  template <class Go>
  void begin(const World& world, std::size_t number, Section section, const Go& go) {
    World next = world;
    auto& task = next.tasks[number];
    task = {};
    task.sections_left = world.tasks[number].sections_left - 1;
    task.section = section;
    task.stage = Stage::inside;
    if (section != Section::read) {
      if (next.rules.down_write()) return go("down_write", next);
      task.stage = Stage::before_queue;
      go("down_write", next);
      if constexpr (kWritersSpin) {
        if (scope_.spinning && next.rules.may_spin(true)) begin_spinning(next, number, go);
      }
    } else if constexpr (kReadersSpin) {
      if (next.rules.down_read()) return go("down_read", next);
      task.seen = next.rules.seen();
      task.stage = Stage::before_queue;
      go("down_read", next);
      if (scope_.spinning && next.rules.may_spin_to_read(true)) begin_spinning(next, number, go);
    } else {
      go("down_read", read_or_queue(next, number));
    }
  }

  template <class Go>
  void begin_spinning(World next, std::size_t number, const Go& go) {
    auto& task = next.tasks[number];
    task.stage = Stage::spinning;
    task.spun = true;
    next.rules.join_spinners(number, task.section == Section::read ? models::LockMode::read : models::LockMode::write);
    go("spins", next);
  }

  World read_or_queue(World next, std::size_t number) {
    if constexpr (!kReadersSpin) {
      Wakes wakes;
      finish_read(next, number, next.rules.down_read(number, kEarly, wakes));
      obey(next, wakes);
    }
    return next;
  }

  World queue_read(World next, std::size_t number) {
    if constexpr (kReadersSpin) {
      auto& task = next.tasks[number];
      if (task.spun && next.rules.reader_phase_trylock(task.seen)) {
        ++second_tries_;
        task.stage = Stage::inside;
        return next;
      }
      Wakes wakes;
      finish_read(next, number, next.rules.queue_read(number, task.seen, kEarly, wakes));
      obey(next, wakes);
    }
    return next;
  }

  void finish_read(World& next, std::size_t number, models::RwsemRead outcome) {
    const bool queues = outcome == models::RwsemRead::queued;
    next.tasks[number].stage = queues ? Stage::queued : Stage::inside;
    steals_ += outcome == models::RwsemRead::stolen ? 1 : 0;
  }

  template <class Go>
  void spin(const World& world, std::size_t number, const Go& go) {
    {
      World next = world;
      next.rules.leave_spinners(number);
      next.tasks[number].stage = Stage::before_queue;
      go("must yield", next);
    }
    if (world.rules.spinners().front().waiter != number) return;
    for (const bool owner_on_cpu : {true, false}) {
      if (owner_on_cpu || world.rules.write_held()) spin_round(world, number, owner_on_cpu, go);
    }
  }

  template <class Go>
  void spin_round(World next, std::size_t number, bool owner_on_cpu, const Go& go) {
    using models::RwsemSpin;
    World between = next;
    const auto quick = between.rules.let_spinner_in();
    const RwsemSpin outcome = next.rules.spin(owner_on_cpu);
    require(quick.has_value() == (outcome == RwsemSpin::taken), "let_spinner_in differs from spin");
    if (outcome == RwsemSpin::taken) {
      get_in_by_spinning(next, number);
      go("got it by spinning", next);
    } else if (outcome == RwsemSpin::give_up) {
      next.tasks[number].stage = Stage::before_queue;
      go("gives up spinning", next);
    } else if constexpr (models::LimitsSpinningOnReaders<Rules>) {
      if (outcome != RwsemSpin::on_readers) return;
      next.rules.reader_spin_expired();
      next.tasks[number].stage = Stage::before_queue;
      go("has spun on readers too long", next);
    }
  }

  void get_in_by_spinning(World& next, std::size_t number) {
    auto& task = next.tasks[number];
    task.stage = Stage::inside;
    ++(task.section == Section::read ? read_spins_ : write_spins_);
    if constexpr (kReadersSpin) {
      Wakes wakes;
      if (task.section == Section::read) next.rules.wake_readers(wakes);
      obey(next, wakes);
    }
  }

  World queue_write(World next, std::size_t number) {
    Wakes wakes;
    const bool first = !next.head();
    // For the newcomer it is early; for the first in the queue it may be late.
    const auto outcome = next.rules.queue_write(number, kEarly, wakes);
    settle_try(next, number, outcome, first);
    obey(next, wakes);
    return next;
  }

  World try_queued(World next, std::size_t number) {
    require(next.head() == number, "a writer tries that is not first in the queue");
    const bool late = next.time() == kLate;
    const auto outcome = next.rules.try_queued_write(number, next.time());
    settle_try(next, number, outcome, true);
    if constexpr (kHandsOff) {
      require(!late || next.tasks[number].stage == Stage::inside || next.rules.handoff(),
              "the first has tried after its timeout and failed, but there is no handoff");
    }
    return next;
  }

  void settle_try(World& next, std::size_t number, models::RwsemTry outcome, bool first) {
    using models::RwsemTry;
    auto& task = next.tasks[number];
    task.stage = outcome == RwsemTry::taken   ? Stage::inside
                 : outcome == RwsemTry::sleep ? Stage::queued
                                              : Stage::spinning_on_owner;
    if (outcome == RwsemTry::taken) {
      task.waited_long = false;
      steals_ += first ? 0 : 1;
    }
    if (outcome != RwsemTry::spin_on_owner) return;
    if constexpr (kHandsOff) require(first && next.rules.handoff(), "spins on the owner without handoff");
    require(kHandsOff, "spins on the owner, but there is no handoff under these rules");
  }

  template <class Go>
  void spin_on_owner(const World& world, std::size_t number, const Go& go) {
    World next = world;
    next.tasks[number].stage = Stage::queued;
    // With no owner it does not sleep but tries.
    if (next.rules.write_held() || next.rules.reader_owned()) go("falls asleep", next);
    if (!next.rules.write_held() && next.rules.readers() == 0) go("tries", try_queued(world, number));
  }

  World downgrade(World next, std::size_t number) {
    Wakes wakes;
    next.rules.downgrade_write(wakes);
    next.tasks[number].stage = Stage::downgraded;
    require(!wakes.to_try, "a downgrade has woken a writer");
    obey(next, wakes);
    return next;
  }

  World release(World next, std::size_t number) {
    const bool must_wake = next.reads(number) ? next.rules.release_read() : next.rules.release_write();
    const int sections_left = next.tasks[number].sections_left;
    next.tasks[number] = {};
    next.tasks[number].sections_left = sections_left;
    next.tasks[number].stage = must_wake ? Stage::releasing : Stage::outside;
    return next;
  }

  World wake(World next, std::size_t number) {
    Wakes wakes;
    next.rules.wake(next.time(), wakes);
    next.tasks[number].stage = Stage::outside;
    obey(next, wakes);
    return next;
  }

  void obey(World& next, const Wakes& wakes) {
    for (const std::size_t reader : wakes.granted) {
      require(next.tasks[reader].stage == Stage::queued, "let in, but did not queue");
      next.tasks[reader].stage = Stage::inside;
      next.tasks[reader].waited_long = false;
    }
    if (wakes.to_try) next.tasks[*wakes.to_try].stage = Stage::woken;
  }

  void check(const World& world) {
    const auto& rules = world.rules;
    std::size_t readers = 0;
    std::size_t writers = 0;
    std::size_t queued = 0;
    bool releasing = false;
    for (std::size_t number = 0; number < scope_.tasks; ++number) {
      const Stage stage = world.tasks[number].stage;
      if (world.holds(number)) ++(world.reads(number) ? readers : writers);
      queued += stage == Stage::queued || stage == Stage::woken || stage == Stage::spinning_on_owner ? 1 : 0;
      releasing = releasing || stage == Stage::releasing;
    }
    require(writers == 0 || (writers == 1 && readers == 0), "no mutual exclusion");
    require(rules.readers() == readers && rules.write_held() == (writers == 1), "it says that others hold it");
    require(rules.queue_length() == queued, "it says that others queue");
    if constexpr (kHandsOff) {
      require(!rules.handoff() || (queued > 0 && rules.queue().front().handoff_set), "a handoff to nobody");
    }
    // Stronger than that somebody spins: spinners may find it free, but it does not depend on them.
    if (readers + writers == 0 && queued > 0) {
      const Stage first = world.tasks[*world.head()].stage;
      require(releasing || first == Stage::woken || first == Stage::spinning_on_owner, "a wake-up was lost");
    }
  }

  void check_step(const World& before, const World& after) {
    bool first_got_it = false;
    bool other_got_it = false;
    for (std::size_t number = 0; number < scope_.tasks; ++number) {
      if (before.holds(number) || !after.holds(number)) continue;
      (before.head() == number ? first_got_it : other_got_it) = true;
      // Writers that sleep in the queue keep their order.
      const Stage stage = before.tasks[number].stage;
      if (stage == Stage::woken || stage == Stage::spinning_on_owner) {
        require(before.rules.first_writer() == number, "a writer was overtaken in the queue");
      }
      if (kReadersStandInLine && after.reads(number)) {
        require(!writer_queues_before(before.rules, number), "a reader got in past a writer that queues");
      }
    }
    if constexpr (kHandsOff) check_handoff(before, after, first_got_it, other_got_it);
  }

  void check_handoff(const World& before, const World& after, bool first_got_it, bool other_got_it) {
    if (before.rules.handoff()) {
      require(!other_got_it || first_got_it, "somebody else got it under a handoff");
      require(after.rules.handoff() || first_got_it, "a handoff was dropped");
    }
    handoffs_ += !before.rules.handoff() && after.rules.handoff() ? 1 : 0;
  }

  // Before a newcomer all do.
  static bool writer_queues_before(const Rules& rules, std::size_t number) {
    for (const Queued& each : rules.queue()) {
      if (each.waiter == number) return false;
      if (each.mode == models::LockMode::write) return true;
    }
    return false;
  }

  // Returns whether it is new. Tasks are alike, so it counts once whichever of them is in which place.
  bool see(const World& world) {
    Key key{};
    for (std::size_t number = 0; number < scope_.tasks; ++number) key[number] = place_of(world, number);
    std::sort(key.begin(), key.begin() + kMostTasks);
    key[kMostTasks] = flags_of(world.rules);
    return seen_.insert(key).second;
  }

  static std::uint64_t place_of(const World& world, std::size_t number) {
    const auto& rules = world.rules;
    const auto& task = world.tasks[number];
    std::uint64_t place = static_cast<std::uint64_t>(task.stage) << 5U |
                          static_cast<std::uint64_t>(task.section) << 3U |
                          static_cast<std::uint64_t>(task.sections_left) << 1U | (task.waited_long ? 1U : 0U);
    for (std::size_t index = 0; index < rules.queue_length(); ++index) {
      if (rules.queue()[index].waiter == number) place |= (index + 1) << 9U;
      if constexpr (kReadersSpin) {
        if (rules.queue()[index].waiter == number && rules.queue()[index].saw_nonspinnable) place |= 1U << 15U;
      }
    }
    if constexpr (kWritersSpin) {
      for (std::size_t index = 0; index < rules.spinners().size(); ++index) {
        if (rules.spinners()[index].waiter == number) place |= (index + 1) << 12U;
      }
    }
    if constexpr (kReadersSpin) {
      if (task.section == Section::read && (task.stage == Stage::spinning || task.stage == Stage::before_queue)) {
        place |= (task.spun ? 1U : 0U) << 16U | (task.seen.nonspinnable ? 1U : 0U) << 17U |
                 (task.seen.reader_owners == rules.seen().reader_owners ? 1U : 0U) << 18U;
      }
    }
    return place;
  }

  static std::uint64_t flags_of(const Rules& rules) {
    std::uint64_t flags = 0;
    if constexpr (kHandsOff) {
      flags = (rules.handoff() ? 1U : 0U) | (rules.nonspinnable() ? 2U : 0U) | (rules.reader_owned() ? 4U : 0U);
    }
    if constexpr (kReadersSpin) flags |= rules.readers_nonspinnable() ? 8U : 0U;
    return flags;
  }

  struct Hash {
    std::size_t operator()(const Key& key) const {
      std::uint64_t hash = 0;
      for (const std::uint64_t word : key) hash = (hash ^ word) * 0x9E37'79B9'7F4A'7C15U + (hash >> 29U);
      return hash;
    }
  };

  [[nodiscard]] std::string history() const {
    std::string text;
    for (const std::string& step : steps_) text += step + "\n";
    return text;
  }

  Scope scope_;
  std::unordered_set<Key, Hash> seen_;
  std::vector<std::string> steps_;
  std::uint64_t handoffs_ = 0;
  std::uint64_t steals_ = 0;
  std::uint64_t write_spins_ = 0;
  std::uint64_t read_spins_ = 0;
  std::uint64_t second_tries_ = 0;
  bool failed_ = false;
};

/// All histories of one to three tasks with one to three sections each; the exploration's own checks fail if a rule
/// does.
template <class Exploration>
void explore_fewer_tasks(bool spins, bool times_out) {
  for (const std::size_t tasks : {1U, 2U, 3U}) {
    for (const int sections : {1, 2, 3}) {
      EXPECT_GT(Exploration({tasks, sections, spins, times_out}).situations(), 0U);
    }
  }
}

}  // namespace tests
