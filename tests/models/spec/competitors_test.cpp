#include "models/spec/competitors.h"

#include <gtest/gtest.h>

namespace models::competitors_test {
namespace {

ProcessSpec process() {
  ProcessSpec spec;
  spec.name = "own";
  return spec;
}

ThreadSpec thread(Competitor run) { return {.name = "thread", .count = 1, .run = std::move(run)}; }

TEST(Competitors, WhoNamesATargetWorksOnItAndTheOthersOnTheirOwnProcess) {
  EXPECT_EQ(target_of(process(), thread(ProcReaderSpec{.target = "db", .arrival = {}})), "db");
  EXPECT_EQ(target_of(process(), thread(RemoteReaderSpec{.target = "db", .arrival = {}})), "db");
  EXPECT_EQ(target_of(process(), thread(HolderSpec{.target = "db", .hold = {}, .arrival = {}})), "db");
  EXPECT_EQ(target_of(process(), thread(HolderSpec{})), "own");
  EXPECT_EQ(target_of(process(), thread(KhugepagedSpec{.target = "db"})), "db");
  EXPECT_EQ(target_of(process(), thread(NumaBalancingSpec{})), "own");
  EXPECT_EQ(target_of(process(), thread(KsmSpec{.target = "db"})), "db");
  EXPECT_EQ(target_of(process(), thread(UserfaultSpec{.target = "db", .region = "heap"})), "db");
  EXPECT_EQ(target_of(process(), thread(MadviserSpec{.region = "heap", .arrival = {}, .target = "db"})), "db");
  EXPECT_EQ(target_of(process(), thread(MadviserSpec{.region = "heap", .arrival = {}})), "own");
  EXPECT_EQ(target_of(process(), thread(ForkerSpec{})), "own");
  EXPECT_EQ(target_of(process(), thread(LockerSpec{})), "own");
}

TEST(Competitors, KernelThreadsAreAsNiceAsTheKernelMakesThem) {
  EXPECT_EQ(default_nice(thread(KhugepagedSpec{})), 19);
  EXPECT_EQ(default_nice(thread(KsmSpec{})), 5);
  EXPECT_EQ(default_nice(thread(NumaBalancingSpec{})), 0);
}

TEST(Competitors, OnlyLockersMonitorsAndTheBusyMakeNoRequests) {
  EXPECT_FALSE(makes_requests(thread(UserfaultSpec{})));
  EXPECT_FALSE(makes_requests(thread(LockerSpec{})));
  EXPECT_FALSE(makes_requests(thread(BusySpec{})));
  EXPECT_TRUE(makes_requests(thread(FaulterSpec{})));
}

}  // namespace
}  // namespace models::competitors_test
