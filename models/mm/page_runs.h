// What holds for the pages of an address space, in runs: the cost of a region does not depend on its size.
//
// In levels, like the kernel's page tables: pages go by tables of 512, and these by tables of 512 of them. A table in
// which not all is alike is kept by itself: of small values each, of larger ones an array of its runs, side by side in
// memory. Tables in which all is alike are one entry of the level above; at the top these lie in an interval map, in
// which those that follow each other are one.
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

/// Entries of one table, from the one that was asked for up to `end`, counted from the table's beginning.
template <class Value>
struct TableRun {
  Value value;
  std::int64_t end;
};

/// The entries of one table, each with its value: a look at one costs the same whatever the others hold.
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
    while (end + kAtOnce <= limit && std::memcmp(&at(end), same.data(), sizeof(same)) == 0) end += kAtOnce;
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
  static constexpr std::int64_t kSize = kPagesPerTable.count();
  static constexpr std::int64_t kAtOnce = 8;  // as many as one instruction compares

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
    if (moves_a_border(from, to, value)) return;
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

  // What a walk does, page by page or table by table: the piece before grows, the one that begins at `from` shrinks.
  bool moves_a_border(std::int64_t from, std::int64_t to, const Value& value) {
    const auto piece = pieces_.begin() + (piece_at(from) - pieces_.begin());
    if (piece == pieces_.begin() || piece->from != from || std::prev(piece)->value != value) return false;
    const auto after = std::next(piece);
    if (to >= (after == pieces_.end() ? kPagesPerTable.count() : after->from)) return false;
    piece->from = static_cast<std::uint16_t>(to);
    return true;
  }

  // The first piece that begins after the page `offset`.
  auto behind(std::int64_t offset) {
    return std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                            [](std::int64_t page, const Piece& piece) { return page < piece.from; });
  }

  std::vector<Piece> pieces_;
};

/// What no table has to be asked for: in an interval map, in which runs that follow each other are one.
template <class Value>
class IntervalRuns {
 public:
  [[nodiscard]] TableRun<Value> part_at(std::int64_t index, std::int64_t limit) const {
    const auto found = runs_.lower_bound(boost::icl::interval<std::int64_t>::right_open(index, index + 1));
    if (found == runs_.end()) return {Value{}, limit};
    if (found->first.lower() > index) return {Value{}, std::min(limit, found->first.lower())};
    return {found->second, std::min(limit, found->first.upper())};
  }

  void set(std::int64_t start, std::int64_t end, const Value& value) {
    const auto interval = boost::icl::interval<std::int64_t>::right_open(start, end);
    if (value == Value{}) {
      runs_.erase(interval);
    } else {
      runs_.set({interval, value});
    }
  }

 private:
  boost::icl::interval_map<std::int64_t, Value> runs_;  // the default value is not stored
};

/// What the level above has of a table: what holds for all that is in it, or that not all is alike.
template <class Value>
struct TableEntry {
  Value value{};
  bool mixed = false;
  bool operator==(const TableEntry&) const = default;
};

/// One level of tables; `Above` has an entry for each.
template <class Value, class Above>
class TableLevel {
 public:
  /// The run at `index`, cut off at `limit`; another one of the same value may begin where it ends.
  [[nodiscard]] TableRun<Value> part_at(std::int64_t index, std::int64_t limit) const {
    const std::int64_t table = index / kSize;
    const std::int64_t first = table * kSize;
    if (const Mixed* const mixed = find_mixed(table)) {
      const auto run = mixed->run_at(index - first, std::min(kSize, limit - first));
      return {run.value, first + run.end};
    }
    const auto tables = above_.part_at(table, (limit + kSize - 1) / kSize);
    return {tables.value.value, std::min(limit, tables.end * kSize)};
  }

  void set(std::int64_t start, std::int64_t end, const Value& value) {
    for (std::int64_t index = start; index < end;) {
      const std::int64_t table = index / kSize;
      const std::int64_t first = table * kSize;
      if (index == first && end - first >= kSize) {
        const std::int64_t last = end / kSize;
        set_tables(table, last, value);
        index = last * kSize;
      } else {
        const std::int64_t stop = std::min(end, first + kSize);
        set_part(table, index - first, stop - first, value);
        index = stop;
      }
    }
  }

 private:
  static constexpr std::int64_t kSize = kPagesPerTable.count();
  static constexpr std::int64_t kNone = -1;
  static constexpr bool kDense = sizeof(Value) <= 4 && std::has_unique_object_representations_v<Value>;

  using Entry = TableEntry<Value>;
  using Mixed = std::conditional_t<kDense, DenseTable<Value>, PieceTable<Value>>;
  using Tables = std::unordered_map<std::int64_t, Mixed>;

  // Null: all that is in `table` is alike. A walk asks for one table again and again.
  [[nodiscard]] Mixed* find_mixed(std::int64_t table) const {
    if (table == asked_) return found_;
    if (mixed_.empty()) return nullptr;
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
    above_.set(first, last, Entry{value, false});
  }

  void set_part(std::int64_t table, std::int64_t from, std::int64_t to, const Value& value) {
    Mixed* mixed = find_mixed(table);
    if (mixed == nullptr) mixed = &mix(table);
    mixed->set(from, to, value);
    if (mixed->alike() == nullptr || table == alike_) return;
    hand_up();
    alike_ = table;
  }

  // The table that became alike last is handed to the level above when there is another: a walk that puts pages on a
  // list and takes them off makes one table mixed and alike many times.
  void hand_up() {
    const auto table = mixed_.find(std::exchange(alike_, kNone));
    if (table == mixed_.end()) return;
    const Value* const all = table->second.alike();
    if (all == nullptr) return;
    above_.set(table->first, table->first + 1, Entry{*all, false});
    spare_ = mixed_.extract(table);
    forget();
  }

  // From now on `table` is one in which not all is alike. A walk needs one such table after another: the last one that
  // became alike serves again.
  Mixed& mix(std::int64_t table) {
    hand_up();
    if (spare_.empty()) {
      mixed_.try_emplace(table);
    } else {
      spare_.key() = table;
      mixed_.insert(std::move(spare_));
    }
    forget();
    Mixed& mixed = *find_mixed(table);
    mixed.fill(above_.part_at(table, table + 1).value.value);
    above_.set(table, table + 1, Entry{Value{}, true});
    return mixed;
  }

  mutable Tables mixed_;  // by table; mutable for what find_mixed remembers
  Above above_;
  typename Tables::node_type spare_;
  std::int64_t alike_ = kNone;
  mutable std::int64_t asked_ = kNone;  // what find_mixed was last asked for, and its answer
  mutable Mixed* found_ = nullptr;
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
    TableRun<Value> run = levels_.part_at(page.index(), limit.index());
    while (run.end < limit.index()) {
      const TableRun<Value> next = levels_.part_at(run.end, limit.index());
      if (next.value != run.value) break;
      run.end = next.end;
    }
    return {run.value, PageIndex(run.end)};
  }

  /// Lets `value` hold for [start, end). Precondition: start < end.
  void set(PageIndex start, PageIndex end, const Value& value) {
    assert(start < end);
    levels_.set(start.index(), end.index(), value);
  }

 private:
  using Table = TableEntry<Value>;
  TableLevel<Value, TableLevel<Table, IntervalRuns<TableEntry<Table>>>> levels_;
};

}  // namespace models
