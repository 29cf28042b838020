#include "models/mm/mm.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

namespace models::mm_test {
namespace {

PageIndex page(std::int64_t index) { return PageIndex(index); }

constexpr VmFlags kPlain{};
constexpr VmFlags kLocked{.locked = true};

class MmTest : public testing::Test {
 protected:
  VmaPointer add(std::int64_t start, std::int64_t end, VmFlags flags = kPlain) {
    return mm_.insert_vma(page(start), page(end), flags);
  }
  // The map as text: "0-10 10-20L".
  [[nodiscard]] std::string map() const {
    std::string text;
    for (VmaPointer vma = mm_.find_vma(page(0)); vma != nullptr; vma = mm_.next(*vma)) {
      if (!text.empty()) text += " ";
      text += std::to_string(vma->start.index()) + "-" + std::to_string(vma->end.index());
      if (vma->flags.locked) text += "L";
    }
    return text;
  }
  VmaPointer merge(const VmaPointer& vma, std::int64_t start, std::int64_t end, VmFlags flags) {
    return mm_.vma_merge(vma, page(start), page(end), flags);
  }

  Costs costs_;
  Mm mm_{"db", costs_};
};

TEST_F(MmTest, FindVmaGivesTheFirstVmaThatEndsAfterThePage) {
  const VmaPointer low = add(10, 20);
  const VmaPointer high = add(30, 40);
  EXPECT_EQ(mm_.find_vma(page(0)), low);
  EXPECT_EQ(mm_.find_vma(page(10)), low);
  EXPECT_EQ(mm_.find_vma(page(19)), low);
  EXPECT_EQ(mm_.find_vma(page(20)), high);  // begins after the page
  EXPECT_EQ(mm_.find_vma(page(39)), high);
  EXPECT_EQ(mm_.find_vma(page(40)), nullptr);
}

TEST_F(MmTest, FindVmaOfAnEmptyMapIsNull) { EXPECT_EQ(mm_.find_vma(page(0)), nullptr); }

TEST_F(MmTest, NextAndPreviousGoThroughTheMapInOrder) {
  const VmaPointer a = add(10, 20);
  const VmaPointer c = add(50, 60);
  const VmaPointer b = add(20, 30);
  EXPECT_EQ(mm_.next(*a), b);
  EXPECT_EQ(mm_.next(*b), c);
  EXPECT_EQ(mm_.next(*c), nullptr);
  EXPECT_EQ(mm_.previous(*c), b);
  EXPECT_EQ(mm_.previous(*a), nullptr);
}

TEST_F(MmTest, SplitBelowMakesTheLowerPartNew) {
  const VmaPointer vma = add(10, 30, kLocked);
  EXPECT_EQ(mm_.split_vma(vma, page(15), Mm::NewVma::below), 0);
  EXPECT_EQ(map(), "10-15L 15-30L");
  EXPECT_EQ(mm_.find_vma(page(20)), vma);
}

TEST_F(MmTest, SplitAboveMakesTheUpperPartNew) {
  const VmaPointer vma = add(10, 30, kLocked);
  EXPECT_EQ(mm_.split_vma(vma, page(15), Mm::NewVma::above), 0);
  EXPECT_EQ(map(), "10-15L 15-30L");
  EXPECT_EQ(mm_.find_vma(page(10)), vma);
}

TEST_F(MmTest, ASplitBeyondTheMapCountLimitFailsAndChangesNothing) {
  mm_.max_map_count = 2;
  const VmaPointer vma = add(10, 30);
  EXPECT_EQ(mm_.split_vma(vma, page(15), Mm::NewVma::above), 0);
  const std::uint64_t version = mm_.map_version();
  EXPECT_EQ(mm_.split_vma(vma, page(12), Mm::NewVma::above), -ENOMEM);
  EXPECT_EQ(map(), "10-15 15-30");
  EXPECT_EQ(mm_.map_version(), version);
}

TEST_F(MmTest, ADetachedVmaKeepsWhatItsFieldsSaid) {
  add(0, 10);
  const VmaPointer vma = add(10, 20);
  const VmaPointer after = add(20, 30);
  mm_.detach_vma(vma);
  EXPECT_EQ(map(), "0-10 20-30");
  EXPECT_TRUE(vma->detached);
  EXPECT_EQ(vma->start, page(10));
  EXPECT_EQ(vma->end, page(20));
  EXPECT_EQ(mm_.next(*vma), after);
  // Its vm_next stays what it was, whatever comes into the map or goes from it later.
  add(12, 15);
  EXPECT_EQ(mm_.next(*vma), after);
  mm_.detach_vma(after);
  EXPECT_EQ(mm_.next(*vma), after);
}

TEST_F(MmTest, EveryChangeOfTheMapIsCounted) {
  std::uint64_t version = mm_.map_version();
  const auto changed = [&] { return mm_.map_version() > std::exchange(version, mm_.map_version()); };
  const VmaPointer vma = add(10, 30);
  EXPECT_TRUE(changed());
  mm_.split_vma(vma, page(20), Mm::NewVma::above);
  EXPECT_TRUE(changed());
  EXPECT_NE(mm_.find_vma(page(10)), nullptr);
  EXPECT_FALSE(changed());
  mm_.detach_vma(vma);
  EXPECT_TRUE(changed());
}

// vma_merge, by what the range has for neighbours.

TEST_F(MmTest, AWholeVmaMergesWithTheOneBefore) {
  const VmaPointer before = add(0, 10, kLocked);
  const VmaPointer vma = add(10, 20);
  EXPECT_EQ(merge(vma, 10, 20, kLocked), before);
  EXPECT_EQ(map(), "0-20L");
  EXPECT_TRUE(vma->detached);
}

TEST_F(MmTest, AWholeVmaMergesWithTheOneAfter) {
  const VmaPointer vma = add(10, 20);
  const VmaPointer after = add(20, 30, kLocked);
  EXPECT_EQ(merge(vma, 10, 20, kLocked), after);
  EXPECT_EQ(map(), "10-30L");
  EXPECT_TRUE(vma->detached);
}

TEST_F(MmTest, AWholeVmaMergesWithBothNeighbours) {
  const VmaPointer before = add(0, 10, kLocked);
  const VmaPointer vma = add(10, 20);
  const VmaPointer after = add(20, 30, kLocked);
  EXPECT_EQ(merge(vma, 10, 20, kLocked), before);
  EXPECT_EQ(map(), "0-30L");
  EXPECT_TRUE(vma->detached);
  EXPECT_TRUE(after->detached);
  EXPECT_EQ(mm_.map_count(), 1U);
}

TEST_F(MmTest, TheHeadOfAVmaMergesWithTheOneBefore) {
  const VmaPointer before = add(0, 10, kLocked);
  const VmaPointer vma = add(10, 20);
  EXPECT_EQ(merge(vma, 10, 14, kLocked), before);
  EXPECT_EQ(map(), "0-14L 14-20");
  EXPECT_FALSE(vma->detached);
  EXPECT_EQ(mm_.find_vma(page(15)), vma);
}

TEST_F(MmTest, TheTailOfAVmaMergesWithTheOneAfter) {
  const VmaPointer vma = add(10, 20);
  const VmaPointer after = add(20, 30, kLocked);
  EXPECT_EQ(merge(vma, 14, 20, kLocked), after);
  EXPECT_EQ(map(), "10-14 14-30L");
  EXPECT_FALSE(vma->detached);
}

TEST_F(MmTest, TheMiddleOfAVmaMergesWithNobody) {
  add(0, 10, kLocked);
  const VmaPointer vma = add(10, 20);
  add(20, 30, kLocked);
  EXPECT_EQ(merge(vma, 12, 18, kLocked), nullptr);
  EXPECT_EQ(map(), "0-10L 10-20 20-30L");
}

TEST_F(MmTest, NeighboursWithOtherFlagsDoNotMerge) {
  add(0, 10);
  const VmaPointer vma = add(10, 20);
  add(20, 30, {.locked = true, .hugetlb = true});
  EXPECT_EQ(merge(vma, 10, 20, kLocked), nullptr);
  EXPECT_EQ(map(), "0-10 10-20 20-30L");
}

TEST_F(MmTest, NeighboursThatDoNotTouchDoNotMerge) {
  add(0, 9, kLocked);
  const VmaPointer vma = add(10, 20);
  add(21, 30, kLocked);
  EXPECT_EQ(merge(vma, 10, 20, kLocked), nullptr);
  EXPECT_EQ(map(), "0-9L 10-20 21-30L");
}

// --- anon_vma ---------------------------------------------------------------------------------------------------

TEST_F(MmTest, TheFirstFaultMakesAnAnonVmaAndTheNextLeavesItAlone) {
  const VmaPointer vma = add(10, 20);
  EXPECT_EQ(vma->anon_vma, nullptr);
  mm_.anon_vma_prepare(*vma);
  const auto first = vma->anon_vma;
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->vmas, 1);
  mm_.anon_vma_prepare(*vma);
  EXPECT_EQ(vma->anon_vma, first);
}

// find_mergeable_anon_vma
TEST_F(MmTest, TheFirstFaultTakesThatOfANeighbourThatItCouldMergeWith) {
  const VmaPointer before = add(10, 20);
  const VmaPointer vma = add(20, 30);
  const VmaPointer apart = add(31, 40);
  const VmaPointer other = add(40, 50, kLocked);
  mm_.anon_vma_prepare(*before);
  mm_.anon_vma_prepare(*vma);
  mm_.anon_vma_prepare(*apart);
  mm_.anon_vma_prepare(*other);
  EXPECT_EQ(vma->anon_vma, before->anon_vma);
  EXPECT_EQ(vma->anon_vma->vmas, 2);
  EXPECT_NE(apart->anon_vma, vma->anon_vma) << "they don't touch";
  EXPECT_NE(other->anon_vma, apart->anon_vma) << "another kind of mapping";
}

// anon_vma_clone, unlink_anon_vmas
TEST_F(MmTest, PartsOfASplitShareItUntilTheyLeaveTheMap) {
  const VmaPointer vma = add(10, 20);
  mm_.anon_vma_prepare(*vma);
  ASSERT_EQ(mm_.split_vma(vma, page(15), Mm::NewVma::above), 0);
  const VmaPointer above = mm_.find_vma(page(15));
  EXPECT_EQ(above->anon_vma, vma->anon_vma);
  EXPECT_EQ(vma->anon_vma->vmas, 2);
  mm_.detach_vma(above);
  EXPECT_EQ(vma->anon_vma->vmas, 1);
}

// is_mergeable_anon_vma: the same one, or one has none.
TEST_F(MmTest, VmasWithAnonVmasOfTheirOwnDoNotMerge) {
  const VmaPointer before = add(0, 10, kLocked);
  const VmaPointer vma = add(10, 20);
  mm_.anon_vma_prepare(*before);
  mm_.anon_vma_prepare(*vma);
  ASSERT_NE(before->anon_vma, vma->anon_vma);
  EXPECT_EQ(merge(vma, 10, 20, kLocked), nullptr);
}

TEST_F(MmTest, AVmaWithoutAnAnonVmaMergesWithOneThatHasOneAndTakesIt) {
  const VmaPointer before = add(0, 10, kLocked);
  const VmaPointer vma = add(10, 20);
  mm_.anon_vma_prepare(*vma);
  const auto own = vma->anon_vma;
  EXPECT_EQ(merge(vma, 10, 20, kLocked), before);
  EXPECT_EQ(before->anon_vma, own);
  EXPECT_EQ(own->vmas, 1);
}

TEST_F(MmTest, ANewMappingJoinsBothNeighboursOnlyIfTheyCouldJoinEachOther) {
  const VmaPointer before = add(0, 10);
  const VmaPointer after = add(20, 30);
  mm_.anon_vma_prepare(*before);
  mm_.anon_vma_prepare(*after);
  EXPECT_EQ(mm_.vma_merge_new(page(10), page(20), kPlain), before);
  EXPECT_EQ(map(), "0-20 20-30");
  const VmaPointer far = add(40, 50);
  add(60, 70);
  EXPECT_EQ(mm_.vma_merge_new(page(50), page(60), kPlain), far);
  EXPECT_EQ(map(), "0-20 20-30 40-70");
  EXPECT_EQ(mm_.vma_merge_new(page(80), page(90), kPlain), nullptr);
}

TEST_F(MmTest, UnmappedAreasAreFreeAndNeverTouch) {
  const PageIndex first = mm_.get_unmapped_area(PageCount(10));
  const PageIndex second = mm_.get_unmapped_area(PageCount(5));
  EXPECT_GT(second, first + PageCount(10));
  mm_.insert_vma(first, first + PageCount(10), kPlain);
  mm_.insert_vma(second, second + PageCount(5), kPlain);
  EXPECT_EQ(mm_.map_count(), 2U);
}

}  // namespace
}  // namespace models::mm_test
