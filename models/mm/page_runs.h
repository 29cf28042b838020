// What holds for the pages of an address space, in runs: the cost of a region does not depend on its size.
//
// Two levels, like the kernel's page tables: pages go by tables of 512. A table whose pages are not all alike has an
// array of its runs, side by side in memory; tables whose pages are all alike lie in an interval map, in which those
// that follow each other are one.
// Why not in one interval map: threads that touch pages at random make a hundred thousand runs, and then every look at
// a page walks down a tree that misses the cache at each level. Validated by tests/models/mm/page_runs_test.cpp:
// against an array of pages.
#pragma once

#include <boost/icl/interval_map.hpp>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "models/spec/page.h"

namespace models {

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
    Run run = run_by_table(page);
    while (run.end < limit) {
      const Run next = run_by_table(run.end);
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

  /// Of a table: `value` holds from its page `from` up to the next piece.
  struct Piece {
    std::uint16_t from;
    Value value;
  };
  using Mixed = std::vector<Piece>;
  using Interval = boost::icl::interval<std::int64_t>;

  // The run at `page`, which may go on in the next table.
  [[nodiscard]] Run run_by_table(PageIndex page) const {
    const std::int64_t table = page.index() / kSize;
    const auto mixed = mixed_.find(table);
    if (mixed == mixed_.end()) {
      const auto alike = alike_.find(table);
      if (alike == alike_.end()) return {Value{}, PageIndex((table + 1) * kSize)};
      return {alike->second, PageIndex(alike->first.upper() * kSize)};
    }
    const auto piece = piece_at(mixed->second, page.index() - table * kSize);
    const auto after = std::next(piece);
    const std::int64_t end = after == mixed->second.end() ? kSize : after->from;
    return {piece->value, PageIndex(table * kSize + end)};
  }

  // The piece that the page `offset` of the table is in: a binary search without a branch for the processor to guess.
  static auto piece_at(const Mixed& pieces, std::int64_t offset) {
    auto piece = pieces.begin();
    for (auto left = pieces.end() - piece; left > 1;) {
      const auto half = left / 2;
      piece += piece[half].from <= offset ? half : 0;
      left -= half;
    }
    return piece;
  }

  // The first piece that begins after the page `offset` of the table.
  template <class Pieces>
  static auto behind(Pieces& pieces, std::int64_t offset) {
    return std::upper_bound(pieces.begin(), pieces.end(), offset,
                            [](std::int64_t page, const Piece& piece) { return page < piece.from; });
  }

  void set_tables(std::int64_t first, std::int64_t last, const Value& value) {
    if (last - first < static_cast<std::int64_t>(mixed_.size())) {
      for (std::int64_t table = first; table < last; ++table) mixed_.erase(table);
    } else {
      std::erase_if(mixed_, [&](const auto& entry) { return first <= entry.first && entry.first < last; });
    }
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
    Mixed& pieces = mixed_[table];
    if (pieces.empty()) {
      const auto alike = alike_.find(table);
      pieces.push_back({0, alike == alike_.end() ? Value{} : alike->second});
      alike_.erase(Interval::right_open(table, table + 1));
    }
    replace(pieces, from, to, value);
    if (pieces.size() > 1) return;
    set_alike(table, table + 1, Value(pieces.front().value));
    mixed_.erase(table);
  }

  static void replace(Mixed& pieces, std::int64_t from, std::int64_t to, const Value& value) {
    const auto last = behind(pieces, to - 1);
    const Value held = std::prev(last)->value;  // up to `last`, and so behind `to` if that is in between
    const bool held_behind = to < kSize && (last == pieces.end() || last->from != to);
    const auto first = behind(pieces, from - 1);
    const bool goes_on = first != pieces.begin() && std::prev(first)->value == value;

    Piece added[2];
    std::size_t count = 0;
    if (!goes_on) added[count++] = {static_cast<std::uint16_t>(from), value};
    auto keep = last;
    if (held_behind && held != value) {
      added[count++] = {static_cast<std::uint16_t>(to), held};
    } else if (!held_behind && last != pieces.end() && last->value == value) {
      ++keep;
    }
    const auto room = static_cast<std::size_t>(keep - first);
    const auto overwritten = std::copy_n(added, std::min(count, room), first);
    if (count > room) {
      pieces.insert(overwritten, added + room, added + count);
    } else {
      pieces.erase(overwritten, keep);
    }
  }

  std::unordered_map<std::int64_t, Mixed> mixed_;        // by table
  boost::icl::interval_map<std::int64_t, Value> alike_;  // tables; the default value is not stored
};

}  // namespace models
