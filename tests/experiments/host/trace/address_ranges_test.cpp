#include "experiments/host/trace/address_ranges.h"

#include <gtest/gtest.h>

#include <map>

namespace experiments::address_ranges_test {
namespace {

using Ends = std::map<std::uint64_t, std::uint64_t>;

TEST(AddressRanges, WhatOverlapsOrMeetsIsOne) {
  AddressRanges ranges;
  ranges.join(10, 20);
  ranges.join(30, 40);
  EXPECT_EQ(ranges.all(), (Ends{{10, 20}, {30, 40}}));
  ranges.join(20, 25);
  EXPECT_EQ(ranges.all(), (Ends{{10, 25}, {30, 40}}));
  ranges.join(5, 50);
  EXPECT_EQ(ranges.all(), (Ends{{5, 50}}));
}

TEST(AddressRanges, TellWhichHasAllOfARangeAndWhetherAnyHasSomeOfIt) {
  AddressRanges ranges;
  ranges.join(10, 20);
  EXPECT_TRUE(ranges.around(10, 20));
  EXPECT_FALSE(ranges.around(10, 21));
  EXPECT_FALSE(ranges.around(9, 12));
  EXPECT_TRUE(ranges.overlap(19, 30));
  EXPECT_FALSE(ranges.overlap(20, 30));
  EXPECT_FALSE(ranges.overlap(0, 10));
}

}  // namespace
}  // namespace experiments::address_ranges_test
