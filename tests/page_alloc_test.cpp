#include "models/page_alloc.h"

#include <gtest/gtest.h>

#include "tests/in_child.h"
#include "tests/small_machine.h"

namespace models {
namespace {

using tests::kGiB;
using tests::kMiB;

constexpr Bytes kibibytes(std::int64_t count) { return Bytes(count * 1024); }

// sqrt(16 x kbytes), by hand: 16 x 131072 = 2097152 = 1448.2^2; 16 x 4194304 = 8192^2; 16 x 67108864 = 32768^2.
TEST(Watermarks, MinFreeFollowsTheKernelsFormula) {
  EXPECT_EQ(min_free(Bytes(128 * kMiB)), kibibytes(1448));
  EXPECT_EQ(min_free(Bytes(4 * kGiB)), kibibytes(8192));
  EXPECT_EQ(min_free(Bytes(64 * kGiB)), kibibytes(32768));
}

TEST(Watermarks, MinFreeIsClamped) {
  EXPECT_EQ(min_free(kibibytes(512)), kibibytes(128));  // sqrt(8192) = 90.5
  EXPECT_EQ(min_free(kibibytes(1024)), kibibytes(128));
  EXPECT_EQ(min_free(Bytes(256 * kGiB)), kibibytes(65536));
  EXPECT_EQ(min_free(Bytes(1024 * kGiB)), kibibytes(65536));  // sqrt(2^34) = 131072
}

TEST(Watermarks, LowIsFiveFourthsOfMinAndHighThreeHalves) {
  EXPECT_EQ(watermarks(kibibytes(1448)), (Watermarks{PageCount(362), PageCount(452), PageCount(543)}));
  EXPECT_EQ(watermarks(kibibytes(8192)), (Watermarks{PageCount(2048), PageCount(2560), PageCount(3072)}));
  EXPECT_EQ(watermarks(kibibytes(32768)), (Watermarks{PageCount(8192), PageCount(10240), PageCount(12288)}));
}

TEST(Zone, StartsWithFreeAndEvictablePages) {
  const Zone zone({Bytes(4 * kGiB), {}, Bytes(1 * kGiB), 0, {}});
  EXPECT_EQ(zone.marks(), (Watermarks{PageCount(2048), PageCount(2560), PageCount(3072)}));
  EXPECT_EQ(zone.counts(), (ZoneCounts{PageCount(262144), PageCount(786432), {}, {}, {}}));
  EXPECT_EQ(zone.statistics().lowest_free, PageCount(262144));
}

TEST(Zone, MinFreeCanBeGiven) {
  const Zone zone({Bytes(4 * kGiB), Bytes(400 * kPageSize), Bytes(1 * kGiB), 0, {}});
  EXPECT_EQ(zone.marks(), (Watermarks{PageCount(400), PageCount(500), PageCount(600)}));
}

TEST(Zone, MovingKeepsTheTotal) {
  Zone zone({Bytes(64 * kMiB), {}, Bytes(32 * kMiB), 0, {}});
  const PageCount total = zone.counts().total();
  zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(100));
  zone.move(&ZoneCounts::in_flight, &ZoneCounts::mapped, PageCount(60));
  zone.move(&ZoneCounts::mapped, &ZoneCounts::unevictable, PageCount(50));
  zone.move(&ZoneCounts::unevictable, &ZoneCounts::free, PageCount(20));
  EXPECT_EQ(zone.counts(),
            (ZoneCounts{PageCount(8192 - 100 + 20), PageCount(8192), PageCount(10), PageCount(30), PageCount(40)}));
  EXPECT_EQ(zone.counts().total(), total);
  EXPECT_EQ(zone.statistics().lowest_free, PageCount(8092));
}

TEST(Zone, LowAndMinAreReachedWhenFreeHasFallenToThem) {
  Zone zone({Bytes(16 * kMiB), Bytes(400 * kPageSize), Bytes(601 * kPageSize), 0, {}});
  const auto take = [&](std::int64_t pages) { zone.move(&ZoneCounts::free, &ZoneCounts::evictable, PageCount(pages)); };
  EXPECT_FALSE(zone.below_high());
  take(1);  // 600
  EXPECT_FALSE(zone.below_high());
  take(1);  // 599
  EXPECT_TRUE(zone.below_high());
  take(98);  // 501
  EXPECT_FALSE(zone.below_low());
  take(1);  // 500
  EXPECT_TRUE(zone.below_low());
  take(99);  // 401
  EXPECT_FALSE(zone.at_min());
  take(1);  // 400
  EXPECT_TRUE(zone.at_min());
}

TEST(AllocPage, AboveTheLowWatermarkItTakesAPageAndNoTime) {
  tests::check_in_child([] {
    tests::SmallMachine machine;
    machine.add([&](Task& task) {
      const ZoneCounts before = machine.kernel.zone.counts();
      alloc_page(task);
      EXPECT_EQ(task.now(), tests::at(0));
      EXPECT_EQ(machine.kernel.zone.counts().free, before.free - PageCount(1));
      EXPECT_EQ(machine.kernel.zone.counts().in_flight, PageCount(1));
      EXPECT_EQ(machine.kernel.zone.statistics().allocated, 1U);
    });
    machine.run();
  });
}

}  // namespace
}  // namespace models
