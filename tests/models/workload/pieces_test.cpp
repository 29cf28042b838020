// The pieces of a region that threads come to, and the calls that a script makes on pieces.
#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <vector>

#include "models/simulation.h"
#include "models/workload/pieces.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models::pieces_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::kMiB;
using Call = ScriptStep::Call;
using Place = Visits::Place;

TEST(PiecesInTurn, CoverTheRegionAndTheLastOneIsWhatIsLeft) {
  sim::Stream chance(1, "test", "pieces");
  Pieces pieces(PageIndex(100), PageCount(25), PageCount(10), {}, 0, 1);
  for (int round = 0; round < 3; ++round) {
    PageIndex expected(100);
    EXPECT_EQ(pieces.rounds(), round);
    for (const std::int64_t pages : {10, 10, 5}) {
      const Pieces::Piece piece = pieces.next(chance);
      EXPECT_EQ(piece.start, expected);
      EXPECT_EQ(piece.pages, PageCount(pages));
      expected = expected + piece.pages;
    }
  }
  EXPECT_TRUE(pieces.more());
}

TEST(PiecesInTurn, EndAfterOneRoundIfTheyAreToBeVisitedOnce) {
  sim::Stream chance(1, "test", "pieces");
  Pieces pieces(PageIndex(0), PageCount(25), PageCount(10), {.once = true}, 0, 1);
  for (int piece = 0; piece < 3; ++piece) {
    EXPECT_TRUE(pieces.more());
    (void)pieces.next(chance);
  }
  EXPECT_FALSE(pieces.more());
}

// Whatever the sizes: together all of it, and no page twice.
TEST(PiecesThatAreShared, AreEachPageOfTheRegionOnce) {
  sim::Stream chance(1, "test", "pieces");
  for (const int threads : {1, 2, 3, 7, 25}) {
    std::set<std::int64_t> seen;
    for (int member = 0; member < threads; ++member) {
      Pieces pieces(PageIndex(100), PageCount(25), PageCount(4), {.once = true, .share_each = true}, member, threads);
      while (pieces.more()) {
        const Pieces::Piece piece = pieces.next(chance);
        for (PageCount page; page < piece.pages; page += PageCount(1)) {
          EXPECT_TRUE(seen.insert((piece.start + page).index()).second);
        }
      }
    }
    EXPECT_EQ(seen.size(), 25U);
    EXPECT_EQ(*seen.begin(), 100);
    EXPECT_EQ(*seen.rbegin(), 124);
  }
}

TEST(PiecesInRandomPlaces, LieOnBordersOfPiecesAndReachAllOfThem) {
  sim::Stream chance(1, "test", "pieces");
  Pieces pieces(PageIndex(100), PageCount(25), PageCount(10), {.place = Place::random}, 0, 1);
  std::set<std::int64_t> starts;
  for (int draw = 0; draw < 100; ++draw) starts.insert(pieces.next(chance).start.index());
  EXPECT_EQ(starts, (std::set<std::int64_t>{100, 110}));
}

// ---------------------------------------------------------------------------------------------------------------
// Whole runs.

constexpr Nanoseconds kZap = 100ns;

Scenario machine(std::int64_t pages) {
  Scenario scenario;
  scenario.name = "pieces";
  scenario.machine.cpus = 8;
  scenario.machine.scheduler = {1ms, 0ns, 0ns};
  scenario.machine.costs.zap_page = Constant{kZap};
  scenario.machine.costs.populate_page = Constant{1000ns};
  scenario.machine.costs.mprotect = Constant{50ns};
  scenario.memory.size = scenario.memory.free = Bytes(256 * kMiB);
  RegionSpec heap{"heap", Bytes(pages * kPageSize)};
  heap.pages = RegionSpec::Pages::resident;
  scenario.memory.free = Bytes(256 * kMiB - pages * kPageSize);
  scenario.processes.push_back({"db", true, {}, {heap}, {}});
  return scenario;
}

ClassResult run_one(Scenario scenario, ThreadSpec thread) {
  scenario.processes.front().threads.push_back(std::move(thread));
  return simulate(scenario, Policy{}, {}).classes.at(0);
}

TEST(ScriptInPieces, MakesACallForEachPieceAndCountsThem) {
  check_in_child([] {
    const ClassResult locker =
        run_one(machine(1000), {"locker", 1, LockerSpec{"heap", {{Call::munmap, 0ns, Bytes(300 * kPageSize)}}, 1}});
    const CallRecord& munmap = locker.calls.at("munmap");
    EXPECT_EQ(munmap.duration.count(), 4U);
    EXPECT_EQ(munmap.pages, 1000U);
    EXPECT_EQ(munmap.duration.max(), 300 * kZap);
    EXPECT_EQ(munmap.duration.min(), 100 * kZap);
    EXPECT_TRUE(munmap.errors.empty());
  });
}

TEST(ScriptInPieces, PausesBetweenThemAndNotBehindTheLast) {
  check_in_child([] {
    Scenario scenario = machine(1000);
    const LockerSpec spec{"heap", {{Call::munmap, 7us, Bytes(500 * kPageSize)}}, 1};
    scenario.processes.front().threads.push_back({"locker", 1, spec});
    EXPECT_EQ(simulate(scenario, Policy{}, {}).sim_time, 1000 * kZap + 7us);
  });
}

TEST(ScriptInPieces, OfOnePieceLeavesTheRestAlone) {
  check_in_child([] {
    Scenario scenario = machine(1000);
    ScriptStep unmap{Call::munmap, 0ns, Bytes(100 * kPageSize)};
    unmap.at = Bytes(950 * kPageSize);
    scenario.processes.front().threads.push_back({"locker", 1, LockerSpec{"heap", {unmap, {Call::hold, 1us}}, 1}});
    const Result result = simulate(scenario, Policy{}, {});
    EXPECT_EQ(result.calls().at("munmap").pages, 50U);
    EXPECT_EQ(result.memory.at_end.evictable(), PageCount(950));
  });
}

// What is missing is mapped again, and no more than that.
TEST(ScriptInPieces, MapsAgainWhatAStepNeeds) {
  check_in_child([] {
    ScriptStep unmap{Call::munmap, 0ns, Bytes(100 * kPageSize)};
    unmap.at = Bytes(0);
    const ClassResult locker =
        run_one(machine(1000), {"locker", 1, LockerSpec{"heap", {unmap, {Call::mlock}, {Call::munlock}}, 1}});
    EXPECT_EQ(locker.calls.at("mmap").pages, 100U);
    EXPECT_TRUE(locker.calls.at("mmap").errors.empty());
    EXPECT_TRUE(locker.calls.at("mlock").errors.empty());
  });
}

TEST(MadviserThatComesOnce, GoesThroughItsPartAndEnds) {
  check_in_child([] {
    Scenario scenario = machine(1000);
    scenario.duration = 1s;
    MadviserSpec spec{"heap", Advice::dontneed, Bytes(100 * kPageSize), ClosedLoop{Constant{1us}}};
    spec.visits = {.once = true, .share_each = true};
    scenario.processes.front().threads.push_back({"release", 4, spec});
    const Result result = simulate(scenario, Policy{}, {});
    // Of 250 pages each; all of them are samples, however early.
    EXPECT_EQ(result.classes.at(0).total().latency().count(), 12U);
    EXPECT_EQ(result.classes.at(0).warm_up, 0U);
    EXPECT_EQ(result.memory.at_end.evictable(), PageCount(0));
    EXPECT_EQ(result.classes.at(0).cpu(), 1000 * kZap);
  });
}

TEST(ProtectorInTurn, GoesThroughAllOfItsRegionOnceOrRoundAndRound) {
  for (const bool once : {true, false}) {
    check_in_child([&] {
      Scenario scenario = machine(1000);
      scenario.duration = 1ms;
      ProtectorSpec spec{"heap", Bytes(100 * kPageSize), ClosedLoop{Constant{1us}}};
      spec.visits = {.once = once};
      scenario.processes.front().threads.push_back({"protector", 1, spec});
      const Result result = simulate(scenario, Policy{}, {});
      const auto calls = result.classes.at(0).total().latency().count() + result.classes.at(0).warm_up;
      if (once) {
        EXPECT_EQ(calls, 10U);
      } else {
        EXPECT_GT(calls, 100U);
      }
    });
  }
}

TEST(MapperThatComesOnce, MapsAndPopulatesAllOfItsRegion) {
  check_in_child([] {
    Scenario scenario = machine(1000);
    scenario.duration = 100ms;
    scenario.processes.front().regions.front().pages = RegionSpec::Pages::absent;
    scenario.memory.free = scenario.memory.size;
    MapperSpec spec{Bytes(100 * kPageSize), ClosedLoop{Constant{1us}}, "heap", true};
    spec.visits = {.once = true, .share_each = true};
    scenario.processes.front().threads.push_back({"mapper", 5, spec});
    const Result result = simulate(scenario, Policy{}, {});
    EXPECT_EQ(result.memory.at_end.evictable(), PageCount(1000));
    EXPECT_EQ(result.classes.at(0).total().latency().count() + result.classes.at(0).warm_up, 10U);
  });
}

TEST(Mover, MovesThereAndBack) {
  check_in_child([] {
    Scenario scenario = machine(1000);
    scenario.machine.costs.remap_page = 170ns;
    scenario.duration = 10ms;
    MoverSpec spec;
    spec.region = "heap";
    spec.size = Bytes(100 * kPageSize);
    spec.arrival = ClosedLoop{Constant{10us}};
    scenario.processes.front().threads.push_back({"mover", 1, spec});
    const Result result = simulate(scenario, Policy{}, {});
    EXPECT_EQ(result.classes.at(0).total().latency().min(), 17us);
    EXPECT_EQ(result.classes.at(0).total().latency().max(), 17us);
    EXPECT_EQ(result.memory.at_end.evictable(), PageCount(1000));
  });
}

TEST(Pinner, PinsAndUnpinsInTurn) {
  check_in_child([] {
    Scenario scenario = machine(1000);
    scenario.machine.costs.gup_present = 10ns;
    scenario.duration = 100ms;
    PinnerSpec spec;
    spec.region = "heap";
    spec.size = Bytes(500 * kPageSize);
    spec.arrival = ClosedLoop{Constant{10us}};
    spec.visits.once = true;
    scenario.processes.front().threads.push_back({"pinner", 1, spec});
    const Result result = simulate(scenario, Policy{}, {});
    EXPECT_EQ(result.classes.at(0).total().latency().count() + result.classes.at(0).warm_up, 4U);
    EXPECT_EQ(result.classes.at(0).cpu(), 4 * 500 * 10ns);
  });
}

}  // namespace
}  // namespace models::pieces_test
