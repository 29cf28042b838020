#include "models/measure/phase_log.h"

#include <gtest/gtest.h>

#include "tests/support/small_machine.h"

namespace models::phase_log_test {
namespace {

using tests::at;

TEST(PhaseLog, IsIdleBeforeItsFirstEntry) {
  PhaseLog log;
  EXPECT_EQ(log.at(at(5)), Phase::idle);
  log.enter(Phase::mlock, at(10));
  EXPECT_EQ(log.at(at(9)), Phase::idle);
}

TEST(PhaseLog, APhaseLastsUntilTheNextBegins) {
  PhaseLog log;
  log.enter(Phase::mlock, at(10));
  log.enter(Phase::mlock_populate, at(20));
  log.enter(Phase::idle, at(30));
  EXPECT_EQ(log.at(at(10)), Phase::mlock);
  EXPECT_EQ(log.at(at(19)), Phase::mlock);
  EXPECT_EQ(log.at(at(20)), Phase::mlock_populate);
  EXPECT_EQ(log.at(at(29)), Phase::mlock_populate);
  EXPECT_EQ(log.at(at(30)), Phase::idle);
  EXPECT_EQ(log.at(at(1'000'000)), Phase::idle);
}

TEST(PhaseLog, OfSeveralPhasesAtOneMomentTheLastCounts) {
  PhaseLog log;
  log.enter(Phase::mlock, at(10));
  log.enter(Phase::mlock_populate, at(10));
  EXPECT_EQ(log.at(at(10)), Phase::mlock_populate);
  EXPECT_EQ(log.at(at(9)), Phase::idle);
}

TEST(PhaseLog, OfSeveralLockersTheOneThatEnteredACallLastCounts) {
  PhaseLog log;
  const PhaseLog::Reporter first = log.add_reporter();
  const PhaseLog::Reporter second = log.add_reporter();
  log.enter(Phase::mlock, at(10), first);
  log.enter(Phase::munmap, at(20), second);
  log.enter(Phase::mlock_populate, at(30), first);  // a part of the earlier call
  log.enter(Phase::munmap_zap, at(40), second);
  EXPECT_EQ(log.at(at(15)), Phase::mlock);
  EXPECT_EQ(log.at(at(25)), Phase::munmap);
  EXPECT_EQ(log.at(at(35)), Phase::munmap);
  EXPECT_EQ(log.at(at(45)), Phase::munmap_zap);
}

TEST(PhaseLog, WhenTheLaterCallEndsTheEarlierOneCountsAgain) {
  PhaseLog log;
  const PhaseLog::Reporter first = log.add_reporter();
  const PhaseLog::Reporter second = log.add_reporter();
  log.enter(Phase::mlock, at(10), first);
  log.enter(Phase::munmap, at(20), second);
  log.enter(Phase::mlock_populate, at(30), first);
  log.enter(Phase::idle, at(40), second);
  log.enter(Phase::idle, at(50), first);
  EXPECT_EQ(log.at(at(45)), Phase::mlock_populate);
  EXPECT_EQ(log.at(at(55)), Phase::idle);
}

TEST(PhaseLog, WhenTheEarlierCallEndsTheLaterOneGoesOn) {
  PhaseLog log;
  const PhaseLog::Reporter first = log.add_reporter();
  const PhaseLog::Reporter second = log.add_reporter();
  log.enter(Phase::mlock, at(10), first);
  log.enter(Phase::munmap, at(20), second);
  log.enter(Phase::idle, at(30), first);
  log.enter(Phase::user, at(40), second);
  EXPECT_EQ(log.at(at(35)), Phase::munmap);
  EXPECT_EQ(log.at(at(45)), Phase::idle);
}

}  // namespace
}  // namespace models::phase_log_test
