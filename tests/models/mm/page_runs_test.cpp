#include "models/mm/page_runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/random.h"

namespace models::page_runs_test {
namespace {

using Runs = PageRuns<int>;

constexpr std::int64_t kTable = kPagesPerTable.count();

PageIndex page(std::int64_t index) { return PageIndex(index); }

TEST(PageRuns, NothingHoldsAtFirst) {
  const Runs runs;
  const Runs::Run run = runs.run_at(page(3), page(10 * kTable));
  EXPECT_EQ(run.value, 0);
  EXPECT_EQ(run.end, page(10 * kTable));
}

// A step for each of the tables of tables in between would not end.
TEST(PageRuns, WhatNothingHoldsForIsOneRunHoweverFar) {
  Runs runs;
  const PageIndex far = page(std::int64_t{1} << 60);
  runs.set(far, far + PageCount(1), 1);
  runs.set(page(3), page(4), 1);
  EXPECT_EQ(runs.run_at(page(4), far + PageCount(9)).end, far);
  EXPECT_EQ(runs.run_at(far, far + PageCount(9)).end, far + PageCount(1));
}

TEST(PageRuns, ARunGoesOnInTheNextTable) {
  Runs runs;
  runs.set(page(kTable - 5), page(kTable + 5), 1);
  EXPECT_EQ(runs.run_at(page(0), page(4 * kTable)).end, page(kTable - 5));
  EXPECT_EQ(runs.run_at(page(kTable - 5), page(4 * kTable)).value, 1);
  EXPECT_EQ(runs.run_at(page(kTable - 5), page(4 * kTable)).end, page(kTable + 5));
  EXPECT_EQ(runs.run_at(page(kTable + 5), page(4 * kTable)).end, page(4 * kTable));
}

TEST(PageRuns, ARunIsCutOffAtTheLimit) {
  Runs runs;
  runs.set(page(0), page(3 * kTable), 2);
  EXPECT_EQ(runs.run_at(page(7), page(9)).end, page(9));
  EXPECT_EQ(runs.run_at(page(7), page(2 * kTable)).end, page(2 * kTable));
}

TEST(PageRuns, ATableThatIsFilledPieceByPieceIsOneRunWithItsNeighbours) {
  Runs runs;
  runs.set(page(0), page(kTable), 1);
  runs.set(page(2 * kTable), page(3 * kTable), 1);
  for (std::int64_t index = kTable; index < 2 * kTable; ++index) runs.set(page(index), page(index + 1), 1);
  EXPECT_EQ(runs.run_at(page(0), page(5 * kTable)).end, page(3 * kTable));
}

TEST(PageRuns, ATableOfTablesIsOneRunWithItsNeighbours) {
  constexpr std::int64_t kUpper = kTable * kTable;
  Runs runs;
  runs.set(page(0), page(kUpper), 1);
  runs.set(page(2 * kUpper), page(3 * kUpper), 1);
  for (std::int64_t table = kTable; table < 2 * kTable; ++table) {
    EXPECT_EQ(runs.run_at(page(0), page(5 * kUpper)).end, page(table * kTable));
    EXPECT_EQ(runs.run_at(page(table * kTable), page(5 * kUpper)).end, page(2 * kUpper));
    runs.set(page(table * kTable), page((table + 1) * kTable), 1);
  }
  EXPECT_EQ(runs.run_at(page(7), page(5 * kUpper)).end, page(3 * kUpper));
  runs.set(page(kUpper - 3), page(2 * kUpper + 3), 0);
  EXPECT_EQ(runs.run_at(page(kUpper - 3), page(5 * kUpper)).end, page(2 * kUpper + 3));
  EXPECT_EQ(runs.run_at(page(2 * kUpper + 3), page(5 * kUpper)).end, page(3 * kUpper));
}

// Ranges of all sizes, so that tables become mixed and alike again, and tables of tables, too: at the border of two.
std::int64_t pick_length(sim::Stream& chance, std::int64_t most) {
  const std::uint64_t scale = chance() % 4;
  const std::int64_t longest = scale == 0 ? 1 : scale == 1 ? 20 : scale == 2 ? kTable : 4 * kTable;
  return std::min(most, 1 + static_cast<std::int64_t>(chance() % static_cast<std::uint64_t>(longest)));
}

template <class Value>
void agree_with_an_array_of_pages(std::int64_t offset) {
  constexpr std::int64_t kPages = 5 * kTable + 17;
  const auto page = [&](std::int64_t index) { return PageIndex(offset + index); };
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    sim::Stream chance(seed, "test", "page_runs");
    PageRuns<Value> runs;
    std::vector<Value> model(kPages, 0);
    for (int step = 0; step < 300; ++step) {
      const auto start = static_cast<std::int64_t>(chance() % kPages);
      const std::int64_t end = start + pick_length(chance, kPages - start);
      const auto value = static_cast<Value>(chance() % 3);
      runs.set(page(start), page(end), value);
      std::fill(model.begin() + start, model.begin() + end, value);
      for (std::int64_t from = 0; from < kPages;) {
        const auto stop = std::find_if(model.begin() + from, model.end(),
                                       [&](int each) { return each != model[static_cast<std::size_t>(from)]; });
        const auto run = runs.run_at(page(from), page(kPages));
        ASSERT_EQ(run.value, model[static_cast<std::size_t>(from)]);
        ASSERT_EQ(run.end, page(stop - model.begin()));
        from = run.end.index() - offset;
      }
    }
  }
}

TEST(PageRuns, AgreeWithAnArrayOfPages) {
  for (const std::int64_t offset : {std::int64_t{0}, kTable * kTable - 2 * kTable}) {
    agree_with_an_array_of_pages<int>(offset);
    agree_with_an_array_of_pages<std::uint8_t>(offset);
  }
}

}  // namespace
}  // namespace models::page_runs_test
