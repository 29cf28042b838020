#include "experiments/host/idle_states.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/support/probe_json.h"

namespace experiments::idle_states_test {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pointwise;

class IdleStates : public testing::Test {
 protected:
  [[nodiscard]] std::vector<MeasuredIdleState> states() const { return measured_idle_states(reading_); }
  Quantity& after(const AfterIdle& idle, const char* call) { return reading_.quantities[idle.quantity(call)]; }
  static Quantity always(double length) {
    Quantity quantity{.median = length, .p10 = length, .p90 = length, .samples = 40};
    quantity.tenths.emplace().fill(length);
    return quantity;
  }

  ProbeReading reading_ = parse_probe(tests::probe_json().dump(), "");
};

TEST_F(IdleStates, BeginBetweenTheIdlePeriodsAfterWhichCallsTakeAsLongAsInOneAndTheOther) {
  const std::vector<MeasuredIdleState> found = states();
  ASSERT_EQ(found.size(), 2u);
  const std::vector<double> expected{102'500, 107'500, 112'500, 117'500, 122'500,
                                     127'500, 132'500, 137'500, 142'500, 147'500};
  EXPECT_THAT(found[0].after, Pointwise(DoubleNear(1), expected)) << "none of 100 us is in it, each of 150 us is";
  EXPECT_NEAR(found[1].after.front(), 1'262'500, 1) << "none of 1,250 us, each of 1,500";
  EXPECT_NEAR(found[1].after.back(), 1'487'500, 1);
}

TEST_F(IdleStates, DoNotBeginWhereACallWasDisturbed) {
  const std::vector<double> undisturbed = states()[1].after;
  for (std::size_t i = 0; i < 5; ++i) {
    after(kDeepIdle.at(i), "each_mmap").tenths = {1860, 1860, 1860, 1860, 1860, 1860, 1860, 1860, 1860, 9000};
  }
  EXPECT_EQ(states()[1].after, undisturbed);
}

TEST_F(IdleStates, TakeFromCallsWhatTheyTakeLongerThanUsual) {
  after(kDeepIdle.back(), "mmap") = always(reading_.quantities["mmap_call"].median + 7'000);
  after(kDeepIdle.back(), "munmap") = always(reading_.quantities["munmap_call"].median + 5'000);
  after(kDeepIdle.back(), "fault") = always(reading_.quantities["fault_4k"].median - 10);
  EXPECT_THAT(states()[1].calls, Each(6'000));
  EXPECT_THAT(states()[1].faults, Each(0));
}

TEST_F(IdleStates, LeaveOutWhatWasInADeeperOne) {
  auto& halted = after(kHalted, "wake_up");
  halted = always(10'000);
  halted.tenths->back() = 150'000;
  EXPECT_THAT(*wake_ups_after(reading_, kHalted), Each(10'000));
  EXPECT_EQ(wake_ups_after(reading_, kDeepIdle.back())->size(), 10u);
  reading_.quantities.erase(kHalted.quantity("wake_up"));
  EXPECT_FALSE(wake_ups_after(reading_, kHalted));
}

TEST_F(IdleStates, AreNoneThatCannotBeSeen) {
  after(kDeepIdle.back(), "mmap") = after(kHalted, "mmap");
  EXPECT_EQ(states().size(), 1u);
  after(kHalted, "wake_up") = after(kHardlyIdle.front(), "wake_up");
  EXPECT_THAT(states(), IsEmpty());
  after(kHalted, "mmap") = after(kDeepIdle.back(), "mmap") = always(7'000);
  ASSERT_EQ(states().size(), 1u) << "caches are lost as soon as it halts";
  EXPECT_THAT(states()[0].after, ElementsAre(300'000));
  reading_.quantities.erase("mmap_after_5ms");
  EXPECT_THAT(states(), IsEmpty()) << "of a probe that did not tell";
}

}  // namespace
}  // namespace experiments::idle_states_test
