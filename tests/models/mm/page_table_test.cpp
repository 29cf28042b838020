#include "models/mm/page_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "sim/random.h"

namespace models::page_table_test {
namespace {

PageIndex page(std::int64_t index) { return PageIndex(index); }

TEST(PageTable, EveryPageIsAbsentAtFirst) {
  const PageTable table;
  const PageTable::Run run = table.run_at(page(5), page(1'000'000));
  EXPECT_EQ(run.state, PageState::absent);
  EXPECT_EQ(run.end, page(1'000'000));
}

TEST(PageTable, ARunEndsWhereTheStateChanges) {
  PageTable table;
  table.set(page(10), page(20), PageState::resident);
  table.set(page(20), page(30), PageState::mlocked);
  EXPECT_EQ(table.run_at(page(0), page(100)).end, page(10));
  EXPECT_EQ(table.run_at(page(10), page(100)).state, PageState::resident);
  EXPECT_EQ(table.run_at(page(10), page(100)).end, page(20));
  EXPECT_EQ(table.run_at(page(15), page(100)).end, page(20));
  EXPECT_EQ(table.run_at(page(20), page(100)).state, PageState::mlocked);
  EXPECT_EQ(table.run_at(page(29), page(100)).end, page(30));
  EXPECT_EQ(table.run_at(page(30), page(100)).state, PageState::absent);
}

TEST(PageTable, ARunIsCutOffAtTheLimit) {
  PageTable table;
  table.set(page(10), page(20), PageState::resident);
  EXPECT_EQ(table.run_at(page(12), page(15)).end, page(15));
  EXPECT_EQ(table.run_at(page(0), page(5)).end, page(5));
  EXPECT_EQ(table.run_at(page(0), page(10)).end, page(10));
}

TEST(PageTable, NeighboursInOneStateAreOneRun) {
  PageTable table;
  for (std::int64_t index = 0; index < 1000; ++index) table.set(page(index), page(index + 1), PageState::mlocked);
  EXPECT_EQ(table.run_at(page(0), page(5000)).end, page(1000));
}

TEST(PageTable, AVeryLargeRangeIsOneRun) {
  PageTable table;
  const std::int64_t tebibyte = (std::int64_t{1} << 40U) / kPageSize;
  table.set(page(0), page(tebibyte), PageState::mlocked);
  table.set(page(tebibyte / 2), page(tebibyte / 2 + 1), PageState::absent);
  EXPECT_EQ(table.count(page(0), page(tebibyte), PageState::mlocked), PageCount(tebibyte - 1));
}

TEST(PageTable, AgreesWithAnArrayOfPages) {
  constexpr std::int64_t kPages = 60;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    sim::Stream chance(seed, "test", "page_table");
    const auto pick = [&](std::int64_t below) {
      return static_cast<std::int64_t>(chance() % static_cast<std::uint64_t>(below));
    };
    PageTable table;
    std::vector<PageState> model(kPages, PageState::absent);
    for (int step = 0; step < 60; ++step) {
      const std::int64_t start = pick(kPages);
      const std::int64_t end = start + 1 + pick(kPages - start);
      const auto state = static_cast<PageState>(pick(5));
      table.set(page(start), page(end), state);
      std::fill(model.begin() + start, model.begin() + end, state);

      for (std::int64_t from = 0; from < kPages; ++from) {
        const std::int64_t limit = from + 1 + pick(kPages - from);
        const auto stop = std::find_if(model.begin() + from, model.begin() + limit,
                                       [&](PageState each) { return each != model[static_cast<std::size_t>(from)]; });
        const PageTable::Run run = table.run_at(page(from), page(limit));
        ASSERT_EQ(run.state, model[static_cast<std::size_t>(from)]);
        ASSERT_EQ(run.end.index(), stop - model.begin());
        for (const PageState each : {PageState::absent, PageState::resident, PageState::mlocked}) {
          ASSERT_EQ(table.count(page(from), page(limit), each).count(),
                    std::count(model.begin() + from, model.begin() + limit, each));
        }
      }
    }
  }
}

TEST(PageTable, ChangesThosePagesOnlyThatAreInTheGivenState) {
  PageTable table;
  table.set(page(10), page(20), PageState::resident);
  table.set(page(20), page(25), PageState::swapped);
  table.set(page(30), page(40), PageState::resident);
  EXPECT_EQ(table.change(page(15), page(35), PageState::resident, PageState::cached), PageCount(10));
  EXPECT_EQ(table.count(page(0), page(100), PageState::resident), PageCount(10));
  EXPECT_EQ(table.count(page(0), page(100), PageState::cached), PageCount(10));
  EXPECT_EQ(table.count(page(0), page(100), PageState::swapped), PageCount(5));
  EXPECT_EQ(table.change(page(0), page(100), PageState::mlocked, PageState::absent), PageCount(0));
}

TEST(PageTable, PresentIsWhatIsMapped) {
  EXPECT_TRUE(is_present(PageState::resident) && is_present(PageState::mlocked));
  EXPECT_FALSE(is_present(PageState::absent) || is_present(PageState::cached) || is_present(PageState::swapped));
}

}  // namespace
}  // namespace models::page_table_test
