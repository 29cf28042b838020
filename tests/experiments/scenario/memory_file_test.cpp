#include "experiments/scenario/memory_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/support/config_files.h"

namespace experiments::memory_file_test {
namespace {

using models::Bytes;
using models::MemorySpec;
using models::PageCount;
using models::ReclaimEra;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using tests::kScenario;
using tests::Lines;
using tests::mistakes;
using tests::read;
using tests::with;
using namespace std::chrono_literals;

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

class MemoryFile : public tests::ConfigFiles {};

/// kScenario with 1 GiB of memory and more keys; the first of them is in column 22.
std::string scenario_with(const std::string& keys) { return with("1GiB}", "1GiB, " + keys + "}"); }

MemorySpec memory_with(const std::string& keys) { return read(scenario_with(keys)).memory; }

Lines memory_mistakes(const std::string& keys) { return mistakes(scenario_with(keys)); }

/// The same with other regions; the first of them is in column 15 of line 8.
std::string with_regions(const std::string& keys, const std::string& regions) {
  return with("{heap: {size: 512MiB, kind: anon}}", "{heap: {size: 4KiB}, " + regions + "}", scenario_with(keys));
}

// --- what is read -------------------------------------------------------------------------------------------

TEST_F(MemoryFile, NeedsASizeOnly) {
  const MemorySpec memory = read(kScenario).memory;
  MemorySpec expected;
  expected.size = Bytes{1024 * kMiB};
  expected.free = expected.size;
  expected.device = memory.device;
  EXPECT_EQ(memory, expected);
  EXPECT_EQ(memory.era, ReclaimEra::linux_6_1);
  EXPECT_EQ(memory.device.name, "nvme");
  EXPECT_EQ(memory_with("pressure: none"), expected);
}

TEST_F(MemoryFile, LightPressureIsColdPageCache) {
  MemorySpec expected = read(kScenario).memory;
  expected.free = Bytes{64 * kMiB};
  EXPECT_EQ(memory_with("pressure: light"), expected);
}

TEST_F(MemoryFile, HeavyPressureIsAWorkingSetAStreamAndSwap) {
  MemorySpec expected = read(kScenario).memory;
  expected.free = Bytes{16 * kMiB};
  expected.anon = Bytes{704 * kMiB};
  expected.file = Bytes{128 * kMiB};
  expected.touched_every = 10s;
  expected.dirty = 0.1;
  expected.background = Bytes{400 * kMiB};
  expected.swap = models::SwapSpec{Bytes{256 * kMiB}, {}, PageCount{8}};
  expected.device = memory_with("device: sata_ssd").device;
  EXPECT_EQ(memory_with("pressure: heavy"), expected);
}

TEST_F(MemoryFile, ReadsEveryKey) {
  const MemorySpec memory = memory_with(
      "free: 32MiB, reclaim: linux-6.1, min_free: 1MiB, watermark_scale_factor: 3000, swappiness: 200, working_set: "
      "{anon: 64MiB, file: 16MiB, touched_every: 2s}, dirty: 1, background: 1MiB/s, device: disk, swap: {size: 8GiB, "
      "device: zram, readahead: 4KiB}, readahead: 12KiB, fault_around: 4KiB");
  MemorySpec expected;
  expected.size = Bytes{1024 * kMiB};
  expected.free = Bytes{32 * kMiB};
  expected.min_free = Bytes{kMiB};
  expected.watermark_scale_factor = 3000;
  expected.swappiness = 200;
  expected.anon = Bytes{64 * kMiB};
  expected.file = Bytes{16 * kMiB};
  expected.touched_every = 2s;
  expected.dirty = 1;
  expected.background = Bytes{kMiB};
  expected.device = memory.device;
  expected.swap = models::SwapSpec{Bytes{8192 * kMiB}, models::ZramSpec{4us, 1500ns, 3}, PageCount{1}};
  expected.readahead = PageCount{3};
  expected.fault_around = PageCount{1};
  EXPECT_EQ(memory, expected);
  EXPECT_EQ(memory.device.name, "disk");
}

TEST_F(MemoryFile, ExplicitKeysWinOverPressure) {
  const MemorySpec memory = memory_with(
      "pressure: heavy, free: 32MiB, dirty: 1, background: 0B/s, min_free: 1MiB, working_set: {anon: 0B}, swap: "
      "{device: zram}");
  EXPECT_EQ(memory.free, Bytes{32 * kMiB});
  EXPECT_EQ(memory.dirty, 1);
  EXPECT_EQ(memory.background, Bytes{});
  EXPECT_EQ(memory.min_free, Bytes{kMiB});
  EXPECT_EQ(memory.anon, Bytes{});
  EXPECT_EQ(memory.file, Bytes{128 * kMiB}) << "key by key";
  EXPECT_EQ(memory.touched_every, 10s);
  EXPECT_EQ(memory.swap->size, Bytes{256 * kMiB});
  EXPECT_TRUE(memory.swap->zram);
  EXPECT_EQ(memory_with("pressure: heavy, swap: none").swap, std::nullopt);
}

TEST_F(MemoryFile, AWorkingSetThatNobodyTouchesIsCold) {
  const MemorySpec memory = memory_with("working_set: {anon: 512MiB}");
  EXPECT_EQ(memory.anon, Bytes{512 * kMiB});
  EXPECT_EQ(memory.touched_every, std::nullopt);
}

TEST_F(MemoryFile, ReadsTheRulesOfLinux2_6_28) {
  const MemorySpec memory = memory_with("reclaim: linux-2.6.28, swappiness: 100");
  EXPECT_EQ(memory.era, ReclaimEra::linux_2_6_28);
  EXPECT_EQ(memory.swappiness, 100);
}

TEST_F(MemoryFile, GenerationsCameWithLinux6_1) {
  const std::string mglru = with("cpus: 4}", "cpus: 4, reclaim: mglru}", scenario_with("reclaim: linux-2.6.28"));
  EXPECT_THAT(mistakes(mglru), ElementsAre(HasSubstr("memory.reclaim: expected linux-6.1, which brought MGLRU")));
  EXPECT_EQ(read(with("cpus: 4}", "cpus: 4, reclaim: mglru}")).machine.reclaim, models::ReclaimKind::mglru);
}

TEST_F(MemoryFile, WithoutPressureAllIsFreeThatNobodyHas) {
  const auto text = with_regions("working_set: {file: 64MiB}, swap: {size: 30MiB, device: zram}",
                                 "a: {size: 128MiB, pages: resident}, f: {size: 32MiB, kind: file, pages: cached}, "
                                 "s: {size: 30MiB, pages: swapped}, absent: {size: 256MiB}");
  EXPECT_EQ(read(text).memory.free, Bytes{(1024 - 64 - 128 - 32 - 10) * kMiB}) << "zram compresses 30 MiB into 10";
  EXPECT_EQ(read(with_regions("pressure: light", "a: {size: 128MiB, pages: resident}")).memory.free, Bytes{64 * kMiB});
}

// --- what is refused ----------------------------------------------------------------------------------------

TEST_F(MemoryFile, RefusesMoreFreeMemoryThanThereIs) {
  EXPECT_THAT(memory_mistakes("free: 2GiB"),
              ElementsAre("s.yaml:4:28: memory.free: expected at most the memory's 1GiB, found '2GiB'"));
}

TEST_F(MemoryFile, RefusesAWorkingSetThatDoesNotFitBesideFreeMemory) {
  EXPECT_THAT(memory_mistakes("working_set: {anon: 513MiB, file: 512MiB}"),
              ElementsAre("s.yaml:4:56: memory.working_set.file: free memory and the working set are together 1025MiB, "
                          "more than the memory's 1GiB"));
  EXPECT_THAT(memory_mistakes("free: 1GiB, working_set: {anon: 4KiB}"),
              ElementsAre(StartsWith("s.yaml:4:54: memory.working_set.anon: free memory and")));
  EXPECT_THAT(memory_mistakes("pressure: heavy, free: 193MiB"),
              ElementsAre("s.yaml:4:45: memory.free: free memory and the working set are together 1025MiB, more than "
                          "the memory's 1GiB"));
  EXPECT_THAT(memory_mistakes("free: 512MiB, working_set: {anon: 256MiB, file: 256MiB}"), IsEmpty());
}

TEST_F(MemoryFile, RefusesAWatermarkOfAnEighthOfTheMemory) {
  EXPECT_THAT(memory_mistakes("min_free: 128MiB"),
              ElementsAre("s.yaml:4:32: memory.min_free: expected less than an eighth of the memory's 1GiB, found "
                          "'128MiB'"));
  EXPECT_THAT(memory_mistakes("min_free: 131068KiB"), IsEmpty());
}

TEST_F(MemoryFile, RefusesAMemoryTooSmallForTheKernelsWatermark) {
  const auto sized = [](const std::string& size) { return mistakes(with("512MiB", "4KiB", with("1GiB", size))); };
  EXPECT_THAT(sized("1MiB"),
              ElementsAre("s.yaml:4:16: memory.size: expected at least 1028KiB, found '1MiB' (too small: the kernel's "
                          "formula makes min_free 128KiB, which must be less than an eighth of the memory; or set "
                          "memory.min_free)"));
  EXPECT_THAT(sized("4KiB"), ElementsAre(StartsWith("s.yaml:4:16: memory.size: expected at least 1028KiB, found")));
  EXPECT_THAT(sized("1028KiB"), IsEmpty());
  EXPECT_THAT(sized("1MiB, min_free: 64KiB"), IsEmpty());
}

TEST_F(MemoryFile, RefusesImpossiblePressure) {
  EXPECT_THAT(memory_mistakes("pressure: hevy, dirty: 2, background: 4MB/s"),
              ElementsAre("s.yaml:4:32: memory.pressure: expected none, light, heavy, found 'hevy' "
                          "(did you mean heavy?)",
                          "s.yaml:4:45: memory.dirty: expected a number from 0 to 1, found '2'",
                          "s.yaml:4:60: memory.background: expected a rate such as 400MiB/s, found '4MB/s' "
                          "(did you mean 4MiB/s?)"));
  EXPECT_THAT(memory_mistakes("background: 2TiB/s"),
              ElementsAre("s.yaml:4:34: memory.background: expected at most 1TiB/s, found '2TiB/s'"));
}

TEST_F(MemoryFile, RefusesRulesThatNoKernelHas) {
  EXPECT_THAT(
      memory_mistakes("reclaim: linux-2.6.27, swappiness: 201, watermark_scale_factor: 3001"),
      ElementsAre("s.yaml:4:31: memory.reclaim: expected linux-6.1, linux-2.6.28, found 'linux-2.6.27' (did you "
                  "mean linux-2.6.28?)",
                  "s.yaml:4:57: memory.swappiness: expected a whole number from 0 to 200, found '201'",
                  "s.yaml:4:86: memory.watermark_scale_factor: expected a whole number from 1 to 3000, found "
                  "'3001'"));
  EXPECT_THAT(
      memory_mistakes("reclaim: linux-2.6.28, swappiness: 101, watermark_scale_factor: 10"),
      ElementsAre("s.yaml:4:57: memory.swappiness: expected a whole number from 0 to 100, found '101'",
                  "s.yaml:4:86: memory.watermark_scale_factor: Linux 2.6.28 knows no watermark_scale_factor (it "
                  "came with 4.6): leave it out"));
}

TEST_F(MemoryFile, RefusesWindowsThatAreNoWholePages) {
  EXPECT_THAT(
      memory_mistakes("readahead: 1KiB, fault_around: 12KiB, swap: {size: 1GiB, readahead: 20KiB}"),
      ElementsAre("s.yaml:4:33: memory.readahead: expected a multiple of 4KiB above zero, found '1KiB' (did you "
                  "mean 4KiB?)",
                  "s.yaml:4:53: memory.fault_around: expected a power of two of pages, found '12KiB' (did you "
                  "mean 8KiB?)",
                  "s.yaml:4:90: memory.swap.readahead: expected a power of two of pages, found '20KiB' (did you "
                  "mean 16KiB?)"));
}

TEST_F(MemoryFile, RefusesAWorkingSetAndSwapThatAreNone) {
  EXPECT_THAT(memory_mistakes("working_set: 1GiB, swap: nothing"),
              ElementsAre("s.yaml:4:35: memory.working_set: expected a map such as {anon: 4GiB, file: 4GiB, "
                          "touched_every: 10s}, found '1GiB'",
                          "s.yaml:4:47: memory.swap: expected none or a map such as {size: 8GiB}, found 'nothing'"));
  EXPECT_THAT(memory_mistakes("working_set: {annon: 4KiB, touched_every: 0s}, swap: {device: zram}"),
              ElementsAre("s.yaml:4:36: memory.working_set.annon: unknown key (did you mean anon?)",
                          "s.yaml:4:64: memory.working_set.touched_every: expected a duration above zero, found '0s'",
                          "s.yaml:4:75: memory.swap.size: missing"));
}

// --- what is refused: regions -------------------------------------------------------------------------------

TEST_F(MemoryFile, RefusesMoreRegionsThanMemoryAtTheOneThatIsTooMuch) {
  EXPECT_THAT(
      mistakes(with_regions("pressure: none", "a: {size: 512MiB}, b: {size: 513MiB}, c: {size: 1GiB}")),
      ElementsAre("s.yaml:8:64: processes[0].regions.b.size: all regions together are 1049604KiB, more than the "
                  "memory's 1GiB"));
}

TEST_F(MemoryFile, RegionsMayBeLargerThanMemoryWhereThereIsSwapOrAFile) {
  EXPECT_THAT(mistakes(with_regions("swap: {size: 1GiB}", "a: {size: 2047MiB}")), IsEmpty());
  EXPECT_THAT(
      mistakes(with_regions("swap: {size: 1GiB}", "a: {size: 2GiB}")),
      ElementsAre("s.yaml:8:45: processes[0].regions.a.size: all regions together are 2097156KiB, more than the "
                  "memory's 1GiB and the swap's 1GiB"));
  EXPECT_THAT(mistakes(with_regions("pressure: light", "f: {size: 1TiB, kind: file}")), IsEmpty());
}

TEST_F(MemoryFile, RefusesResidentRegionsThatDoNotFitBesideTheRest) {
  EXPECT_THAT(mistakes(with_regions("pressure: light",
                                    "a: {size: 960MiB, pages: resident}, b: {size: 4KiB, kind: file, pages: cached}, "
                                    "c: {size: 4KiB, pages: resident}")),
              ElementsAre("s.yaml:8:81: processes[0].regions.b.size: what is in memory at the start (free memory, the "
                          "working set and regions) is 1048580KiB together, more than the memory's 1GiB"));
  EXPECT_THAT(mistakes(with_regions("free: 512MiB, working_set: {anon: 256MiB}",
                                    "a: {size: 256MiB, kind: file, pages: resident}")),
              IsEmpty());
}

TEST_F(MemoryFile, RefusesSwappedRegionsThatHaveNoRoomInSwap) {
  EXPECT_THAT(
      mistakes(with_regions("pressure: none", "a: {size: 4KiB, pages: swapped}")),
      ElementsAre("s.yaml:8:58: processes[0].regions.a.pages: there is no swap for it: set memory.swap, such as "
                  "{size: 8GiB}"));
  EXPECT_THAT(mistakes(with_regions("swap: {size: 8KiB}",
                                    "a: {size: 8KiB, pages: swapped}, b: {size: 4KiB, pages: swapped}, c: {size: 4KiB, "
                                    "pages: swapped}")),
              ElementsAre("s.yaml:8:78: processes[0].regions.b.size: all swapped regions together are 12KiB, more than "
                          "the swap's 8KiB"));
}

TEST_F(MemoryFile, WhatZramKeepsTakesMemory) {
  const auto free = [](const std::string& size) {
    return mistakes(
        with_regions("free: " + size + ", swap: {size: 300MiB, device: zram}", "a: {size: 300MiB, pages: swapped}"));
  };
  EXPECT_THAT(free("924MiB"), IsEmpty());
  EXPECT_THAT(free("925MiB"), ElementsAre(StartsWith("s.yaml:8:45: processes[0].regions.a.size: what is in memory")));
}

TEST_F(MemoryFile, SaysNothingOfRegionsWhenTheMemoryIsUnknown) {
  EXPECT_THAT(mistakes(with("1GiB}", "1GB, swap: {size: 1}}", with("kind: anon", "kind: anon, pages: swapped"))),
              ElementsAre(StartsWith("s.yaml:4:16: memory.size: expected a size"),
                          StartsWith("s.yaml:4:34: memory.swap.size: expected a size")));
  EXPECT_THAT(mistakes(with("{size: 1GiB}", "1GiB")),
              ElementsAre("s.yaml:4:9: memory: expected a map with at least size, found '1GiB'"));
}

}  // namespace
}  // namespace experiments::memory_file_test
