// What holds for the pages of an address space, in runs: the cost of a region does not depend on its size.
//
// Two levels, like the kernel's page tables: pages go by tables of 512. A table whose pages are not all alike is kept
// by itself: of values of one byte the value of each page, of larger ones an array of its runs, side by side in memory.
// Tables whose pages are all alike lie in an interval map, in which those that follow each other are one.
// Why not in one interval map: threads that touch pages at random make a hundred thousand runs, and then every look at
// a page walks down a tree that misses the cache at each level. Validated by tests/models/mm/page_runs_test.cpp:
// against an array of pages.
#pragma once

#include <boost/icl/interval_map.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "models/spec/page.h"

namespace models {

/// Pages of one table, from the one that was asked for up to `end`, counted from the table's beginning.
template <class Value>
struct TableRun {
  Value value;
  std::int64_t end;
};

/// The pages of one table, each with its value: a look at a page costs the same whatever the others hold.
template <class Value>
class DenseTable {
 public:
  void fill(const Value& value) {
    values_.fill(value);
    edges_ = 0;
  }

  [[nodiscard]] TableRun<Value> run_at(std::int64_t offset, std::int64_t limit) const {
    const Value value = at(offset);
    std::array<Value, kAtOnce> same;
    same.fill(value);
    std::int64_t end = offset + 1;
    while (end + kAtOnce <= limit && std::memcmp(&at(end), same.data(), kAtOnce) == 0) end += kAtOnce;
    while (end < limit && at(end) == value) ++end;
    return {value, end};
  }

  void set(std::int64_t from, std::int64_t to, const Value& value) {
    edges_ -= edges_at(from, to) + edges_between(from, to);
    std::fill(&at(from), &at(to - 1) + 1, value);
    edges_ += edges_at(from, to);
  }

  /// The value of all pages; null if they are not alike.
  [[nodiscard]] const Value* alike() const { return edges_ == 0 ? values_.data() : nullptr; }

 private:
  static_assert(sizeof(Value) == 1);
  static constexpr std::int64_t kSize = kPagesPerTable.count();
  static constexpr std::int64_t kAtOnce = 8;  // as many as are compared by one instruction

  [[nodiscard]] const Value& at(std::int64_t page) const { return values_[static_cast<std::size_t>(page)]; }
  [[nodiscard]] Value& at(std::int64_t page) { return values_[static_cast<std::size_t>(page)]; }

  // An edge is where a page holds another value than the one before.
  [[nodiscard]] int edges_at(std::int64_t from, std::int64_t to) const {
    return (from > 0 && at(from) != at(from - 1) ? 1 : 0) + (to < kSize && at(to) != at(to - 1) ? 1 : 0);
  }
  [[nodiscard]] int edges_between(std::int64_t from, std::int64_t to) const {
    int all = 0;
    for (std::int64_t page = from; (page = run_at(page, to).end) < to;) ++all;
    return all;
  }

  std::array<Value, static_cast<std::size_t>(kSize)> values_{};
  int edges_ = 0;
};

/// The same in pieces, for values that are large: as many as there are runs.
template <class Value>
class PieceTable {
 public:
  void fill(const Value& value) { pieces_.assign(1, {0, value}); }

  [[nodiscard]] TableRun<Value> run_at(std::int64_t offset, std::int64_t limit) const {
    const auto piece = piece_at(offset);
    const auto after = std::next(piece);
    return {piece->value, after == pieces_.end() ? limit : std::min<std::int64_t>(limit, after->from)};
  }

  void set(std::int64_t from, std::int64_t to, const Value& value) {
    const auto last = behind(to - 1);
    const Value held = std::prev(last)->value;  // up to `last`, and so behind `to` if that is in between
    const bool held_behind = to < kPagesPerTable.count() && (last == pieces_.end() || last->from != to);
    const auto first = behind(from - 1);
    const bool goes_on = first != pieces_.begin() && std::prev(first)->value == value;

    Piece added[2];
    std::size_t count = 0;
    if (!goes_on) added[count++] = {static_cast<std::uint16_t>(from), value};
    auto keep = last;
    if (held_behind && held != value) {
      added[count++] = {static_cast<std::uint16_t>(to), held};
    } else if (!held_behind && last != pieces_.end() && last->value == value) {
      ++keep;
    }
    const auto room = static_cast<std::size_t>(keep - first);
    const auto overwritten = std::copy_n(added, std::min(count, room), first);
    if (count > room) {
      pieces_.insert(overwritten, added + room, added + count);
    } else {
      pieces_.erase(overwritten, keep);
    }
  }

  [[nodiscard]] const Value* alike() const { return pieces_.size() == 1 ? &pieces_.front().value : nullptr; }

 private:
  // `value` holds from the page `from` up to the next piece.
  struct Piece {
    std::uint16_t from;
    Value value;
  };

  // The piece that the page `offset` is in: a binary search without a branch for the processor to guess.
  [[nodiscard]] auto piece_at(std::int64_t offset) const {
    auto piece = pieces_.begin();
    for (auto left = pieces_.end() - piece; left > 1;) {
      const auto half = left / 2;
      piece += piece[half].from <= offset ? half : 0;
      left -= half;
    }
    return piece;
  }

  // The first piece that begins after the page `offset`.
  auto behind(std::int64_t offset) {
    return std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                            [](std::int64_t page, const Piece& piece) { return page < piece.from; });
  }

  std::vector<Piece> pieces_;
};

/// `Value` {} is what holds for pages that nothing has been said about; it takes no memory.
template <class Value>
class PageRuns {
 public:
  /// Pages from the one that was asked for up to `end`, for all of which `value` holds.
  struct Run {
    Value value;
    PageIndex end;
  };

  /// The run that begins at `page`, cut off at `limit`. Precondition: page < limit.
  [[nodiscard]] Run run_at(PageIndex page, PageIndex limit) const {
    assert(page < limit);
    Run run = run_by_table(page, limit);
    while (run.end < limit) {
      const Run next = run_by_table(run.end, limit);
      if (next.value != run.value) return run;
      run.end = next.end;
    }
    run.end = limit;
    return run;
  }

  /// Lets `value` hold for [start, end). Precondition: start < end.
  void set(PageIndex start, PageIndex end, const Value& value) {
    assert(start < end);
    std::int64_t page = start.index();
    while (page < end.index()) {
      const std::int64_t table = page / kSize;
      const std::int64_t first = table * kSize;
      if (page == first && end.index() - first >= kSize) {
        const std::int64_t last = end.index() / kSize;
        set_tables(table, last, value);
        page = last * kSize;
      } else {
        const std::int64_t stop = std::min(end.index(), first + kSize);
        set_part(table, page - first, stop - first, value);
        page = stop;
      }
    }
  }

 private:
  static constexpr std::int64_t kSize = kPagesPerTable.count();
  static constexpr std::int64_t kNone = -1;

  using Mixed = std::conditional_t<sizeof(Value) == 1, DenseTable<Value>, PieceTable<Value>>;
  using Tables = std::unordered_map<std::int64_t, Mixed>;
  using Interval = boost::icl::interval<std::int64_t>;

  // The run at `page`, which may go on in the next table, and beyond `limit`.
  [[nodiscard]] Run run_by_table(PageIndex page, PageIndex limit) const {
    const std::int64_t table = page.index() / kSize;
    if (const Mixed* const mixed = find_mixed(table)) {
      const std::int64_t first = table * kSize;
      const auto run = mixed->run_at(page.index() - first, std::min(kSize, limit.index() - first));
      return {run.value, PageIndex(first + run.end)};
    }
    const auto alike = alike_.find(table);
    if (alike == alike_.end()) return {Value{}, PageIndex((table + 1) * kSize)};
    return {alike->second, PageIndex(alike->first.upper() * kSize)};
  }

  // Null: the pages of `table` are all alike. A walk asks for one table again and again.
  [[nodiscard]] Mixed* find_mixed(std::int64_t table) const {
    if (table == asked_) return found_;
    const auto mixed = mixed_.find(table);
    asked_ = table;
    found_ = mixed == mixed_.end() ? nullptr : &mixed->second;
    return found_;
  }

  void forget() const { asked_ = kNone; }

  void set_tables(std::int64_t first, std::int64_t last, const Value& value) {
    if (last - first < static_cast<std::int64_t>(mixed_.size())) {
      for (std::int64_t table = first; table < last; ++table) mixed_.erase(table);
    } else {
      std::erase_if(mixed_, [&](const auto& entry) { return first <= entry.first && entry.first < last; });
    }
    forget();
    set_alike(first, last, value);
  }

  void set_alike(std::int64_t first, std::int64_t last, const Value& value) {
    const auto tables = Interval::right_open(first, last);
    if (value == Value{}) {
      alike_.erase(tables);
    } else {
      alike_.set({tables, value});
    }
  }

  void set_part(std::int64_t table, std::int64_t from, std::int64_t to, const Value& value) {
    Mixed* mixed = find_mixed(table);
    if (mixed == nullptr) mixed = &mix(table);
    mixed->set(from, to, value);
    const Value* const all = mixed->alike();
    if (all == nullptr) return;
    set_alike(table, table + 1, *all);
    spare_ = mixed_.extract(table);
    forget();
  }

  // From now on `table` is one whose pages are not alike. A walk needs one such table after another: the last one that
  // became alike serves again.
  Mixed& mix(std::int64_t table) {
    if (spare_.empty()) {
      mixed_.try_emplace(table);
    } else {
      spare_.key() = table;
      mixed_.insert(std::move(spare_));
    }
    forget();
    Mixed& mixed = *find_mixed(table);
    const auto alike = alike_.find(table);
    mixed.fill(alike == alike_.end() ? Value{} : alike->second);
    alike_.erase(Interval::right_open(table, table + 1));
    return mixed;
  }

  mutable Tables mixed_;                                 // by table; mutable for what find_mixed remembers
  boost::icl::interval_map<std::int64_t, Value> alike_;  // tables; the default value is not stored
  typename Tables::node_type spare_;
  mutable std::int64_t asked_ = kNone;  // what find_mixed was last asked for, and its answer
  mutable Mixed* found_ = nullptr;
};

}  // namespace models
