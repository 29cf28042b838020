// What those who wait for a lock wait for, stretch by stretch: kept once for all of them.
//
// Where n tasks queue, each waits for the holds of up to n others, and telling each of them of each hold takes n
// squared steps. So a wait only keeps where among the stretches it began and where it ended; what it comes to by reason
// is the difference of two sums, which are kept for every kStretches of them. Stretches live as long as a wait of
// theirs. Validated by tests/models/measure/lock_stretches_test.cpp: random waits against walking them.
#pragma once

#include <boost/container/small_vector.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "models/measure/blame.h"
#include "sim/time.h"

namespace models {

/// A stretch of time that a task waited for a lock, and because of whom.
struct LockWait {
  sim::Time from;
  sim::Time to;
  LockBlame blame;
};

/// The stretches of a lock, in the order of time.
class LockStretches {
  // Readers that readers keep out have a reason of their own: the writer they stand behind.
  struct Stretch {
    sim::Time from;
    sim::Time to;
    std::array<std::uint32_t, 2> reason;  // its number, by the mode of who waits

    [[nodiscard]] sim::Nanoseconds length() const { return to - from; }
  };

  // Each reason that there has been, by number.
  struct Reasons : boost::intrusive_ref_counter<Reasons, boost::thread_unsafe_counter> {
    [[nodiscard]] std::uint32_t number(const LockBlame& blame);

    std::map<LockBlame, std::uint32_t> numbers;
    std::vector<LockBlame> blames;
    std::vector<sim::Nanoseconds> sums;  // of for_each_sum, while it is at it
  };

  using Sums = std::vector<sim::Nanoseconds>;  // by the reason's number
  using SumsByMode = std::array<Sums, 2>;      // by the mode of who waits

  static constexpr std::size_t kStretches = 16;

  struct Block : boost::intrusive_ref_counter<Block, boost::thread_unsafe_counter> {
    std::array<Stretch, kStretches> stretches;
    SumsByMode before;  // of all stretches until then
    boost::intrusive_ptr<Reasons> reasons;
  };
  using BlockPointer = boost::intrusive_ptr<Block>;

 public:
  /// Between two stretches: how many there were before.
  using Place = std::size_t;

  /// The stretches of one wait.
  class Wait {
   public:
    /// From stretch to stretch, while the wait stays where it is. By default at none.
    class Iterator {
     public:
      Iterator() = default;
      LockWait operator*() const;
      Iterator& operator++();
      bool operator==(const Iterator& other) const = default;
      /// Whether it is at a stretch, or behind the last.
      explicit operator bool() const { return wait_ != nullptr; }

     private:
      friend class Wait;
      Iterator(const Wait* wait, std::size_t number) : wait_(wait), number_(number) {}
      [[nodiscard]] const Block& block() const { return *wait_->blocks_[number_ / kStretches]; }
      [[nodiscard]] std::size_t offset() const { return number_ % kStretches; }

      const Wait* wait_ = nullptr;
      std::size_t number_ = 0;  // from the beginning of the wait's first block
    };

    [[nodiscard]] std::size_t size() const { return last_ - first_; }
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] Iterator begin() const { return {this, first_}; }
    [[nodiscard]] Iterator end() const { return {this, last_}; }
    /// The first stretch that ends after `at`.
    [[nodiscard]] Iterator first_after(sim::Time at) const;
    /// How many stretches there are before this one.
    [[nodiscard]] std::size_t before(const Iterator& stretch) const { return stretch.number_ - first_; }

    /// How long it is: its stretches follow each other without a gap, but for those that nobody shares.
    [[nodiscard]] sim::Nanoseconds length() const { return empty() ? sim::Nanoseconds{0} : to() - (*begin()).from; }
    /// Precondition: it is not empty.
    [[nodiscard]] sim::Time to() const { return (*Iterator(this, last_ - 1)).to; }

    /// Calls sum(blame, time) with what the time from one stretch until before another came to; for a reason more than
    /// once, it may be.
    template <class Sum>
    static void for_each_sum(Iterator from, const Iterator& to, Sum sum) {
      constexpr std::size_t kFew = 2 * kStretches;
      if (to.number_ - from.number_ > kFew) return for_each_sum_of_many(from, to, sum);
      for (; from != to; ++from) {
        const LockWait wait = *from;
        sum(wait.blame, wait.to - wait.from);
      }
    }
    /// The same of the whole wait.
    template <class Sum>
    void for_each_sum(Sum sum) const {
      for_each_sum(begin(), end(), sum);
    }

   private:
    friend class LockStretches;
    Wait(std::size_t first, std::size_t size, LockMode mode) : first_(first), last_(first + size), mode_(mode) {}

    template <class Sum>
    static void for_each_sum_of_many(const Iterator& from, const Iterator& to, Sum sum) {
      const Reasons& reasons = sum_up(from, to);
      for (std::size_t number = 0; number < reasons.sums.size(); ++number) {
        if (reasons.sums[number] > sim::Nanoseconds{0}) sum(reasons.blames[number], reasons.sums[number]);
      }
    }
    static const Reasons& sum_up(const Iterator& from, const Iterator& to);

    boost::container::small_vector<BlockPointer, 2> blocks_;
    std::size_t first_;  // of the stretches in them
    std::size_t last_;
    LockMode mode_;
  };

  /// From `from`, where the last one ended or later, to `to`. `first_writer`: the class of the writer that is first in
  /// the queue, which is what keeps readers out that stand behind it while readers hold the lock; -1 if none is.
  void add(const LockWait& stretch, ClassId first_writer = -1);

  /// Behind the last.
  [[nodiscard]] Place end() const { return size_; }
  /// A wait for the lock in `mode` from `began` until now. Precondition: `began` has not been forgotten.
  [[nodiscard]] Wait since(Place began, LockMode mode) const;
  /// No wait begins before `place` any more.
  void forget_before(Place place);

 private:
  void add_block();

  std::deque<BlockPointer> blocks_;
  std::size_t forgotten_ = 0;  // blocks
  std::size_t size_ = 0;       // stretches, those forgotten included
  boost::intrusive_ptr<Reasons> reasons_;
  SumsByMode sums_;
};

}  // namespace models
