// Whole runs with the further steps of lockers, several lockers, and the further competitors
// (models/workload/workload.h).
#include <gtest/gtest.h>

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "models/simulation.h"
#include "tests/support/in_child.h"
#include "tests/support/result_text.h"
#include "tests/support/seeds.h"
#include "tests/support/small_machine.h"

namespace models::competitors_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Exponential;
using tests::check_in_child;
using tests::kMiB;
using Call = ScriptStep::Call;
using Kind = RegionSpec::Kind;

Scenario machine() {
  Scenario scenario;
  scenario.name = "competitors";
  scenario.machine.cpus = 16;
  scenario.machine.scheduler = {1ms, 0ns, 0ns};
  Costs& costs = scenario.machine.costs;
  costs.populate_page = Constant{1000ns};
  costs.munlock_page = Constant{400ns};
  costs.zap_page = Constant{100ns};
  costs.fault = Constant{500ns};
  costs.mmap = Constant{300ns};
  costs.munmap = Constant{600ns};
  costs.mprotect = Constant{200ns};
  costs.madvise = Constant{70ns};
  costs.fork_vma = 50ns;
  costs.fork_page = 10ns;
  costs.proc_maps_vma = 30ns;
  costs.proc_smaps_vma = 90ns;
  costs.proc_smaps_page = 2ns;
  costs.access_page = Constant{40ns};
  scenario.memory.size = scenario.memory.free = Bytes(1024 * kMiB);
  scenario.processes.push_back({"db", true, {}, {{"heap", Bytes(100 * kPageSize)}}, {}});
  scenario.processes.push_back({"monitor", true, {}, {}, {}});
  return scenario;
}

void add(Scenario& scenario, ThreadSpec thread) { scenario.processes.front().threads.push_back(std::move(thread)); }
void add_monitor(Scenario& scenario, ThreadSpec thread) {
  scenario.processes.back().threads.push_back(std::move(thread));
}
ThreadSpec locker(std::vector<ScriptStep> script, int repeat = 1) {
  return {"locker", 1, LockerSpec{"heap", std::move(script), repeat}};
}
ThreadSpec faulter(Arrival arrival, std::optional<std::string> region = std::nullopt) {
  return {"faulter", 1, FaulterSpec{std::move(region), std::move(arrival)}};
}

Result run(const Scenario& scenario) { return simulate(scenario, Policy{}, {}); }

// ---------------------------------------------------------------------------------------------------------------
// Whom niceness is measured against.

// Milliseconds of CPU time of three busy threads on one CPU in 10 s: two of db, nice 0 and 15, and the monitor's,
// nice 15.
std::vector<double> shares_of_a_cpu(bool autogroup, int group_of_monitor = -1) {
  Scenario scenario = machine();
  scenario.duration = 10s;
  scenario.machine.cpus = 1;
  scenario.machine.scheduler.autogroup = autogroup;
  scenario.groups = {{"agents", 50, {}}};
  ThreadSpec busy{"busy", 1, BusySpec{Constant{1ms}, {}}};
  add(scenario, busy);
  busy.sched.nice = 15;
  busy.name = "nice";
  add(scenario, busy);
  busy.name = "agent";
  busy.sched.group = group_of_monitor;
  add_monitor(scenario, busy);
  std::vector<double> shares;
  for (const ClassResult& each : run(scenario).classes) shares.push_back(static_cast<double>(each.cpu().count()) / 1e6);
  return shares;
}

void expect_shares(const std::vector<double>& shares, const std::vector<double>& weights) {
  double all = 0;
  for (const double weight : weights) all += weight;
  for (std::size_t index = 0; index < weights.size(); ++index) {
    EXPECT_NEAR(shares[index] / (10'000 * weights[index] / all), 1, 0.02) << index;
  }
}

TEST(Autogroups, NiceCountsAmongTheThreadsOfAProcessOnly) {
  check_in_child([] { expect_shares(shares_of_a_cpu(false), {1024, 36, 36}); });
  check_in_child([] { expect_shares(shares_of_a_cpu(true), {1024, 36, 1024 + 36}); });
}

TEST(Autogroups, WhoIsInAControlGroupIsInNone) {
  check_in_child([] { expect_shares(shares_of_a_cpu(true, 0), {1024, 36, (1024 + 36) / 2}); });
}

// ---------------------------------------------------------------------------------------------------------------
// Steps.

TEST(LockerSteps, EachIsCountedUnderItsName) {
  check_in_child([] {
    Scenario scenario = machine();
    add(scenario, locker({{Call::mlockall},
                          {Call::munlockall},
                          {Call::mlockall_future},
                          {Call::brk, {}, Bytes(10 * kPageSize)},
                          {Call::mmap_locked},
                          {Call::munlockall},
                          {Call::stack, {}, Bytes(5 * kPageSize)},
                          {Call::remap_file_pages},
                          {Call::exit}}));
    const Result result = run(scenario);
    std::map<std::string, std::uint64_t> pages;
    for (const auto& [name, record] : result.calls()) {
      EXPECT_TRUE(record.errors.empty()) << name;
      pages[name] = record.pages;
    }
    // The stack has one page from the start: 101. Then 10 of the heap's and the fresh 100; in the end 5 of the stack's.
    EXPECT_EQ(pages, (std::map<std::string, std::uint64_t>{{"mlockall", 101},
                                                           {"munlockall", 101 + 211},
                                                           {"mlockall_future", 0},
                                                           {"brk", 10},
                                                           {"mmap_locked", 100},
                                                           {"stack", 5},
                                                           {"remap_file_pages", 100},
                                                           {"exit", 216}}));
    EXPECT_EQ(result.calls().at("mlockall").duration.max(), 101 * 1000ns);
    EXPECT_EQ(result.calls().at("brk").duration.max(), 300ns + 10 * 1000ns);
    EXPECT_EQ(result.calls().at("mmap_locked").duration.max(), 300ns + 100 * 1000ns);
    EXPECT_EQ(result.calls().at("stack").duration.max(), 500ns);
    EXPECT_EQ(result.calls().at("remap_file_pages").duration.max(), 600ns + 100 * 100ns + 300ns);
    // One page of the stack, its new page, the heap's 10, the fresh 100; remap_file_pages has emptied the region.
    EXPECT_EQ(result.calls().at("exit").duration.max(), 112 * 100ns);
    EXPECT_EQ(result.memory.at_end.evictable() + result.memory.at_end.unevictable, PageCount(0));
  });
}

TEST(LockerSteps, MapARegionOfManyVmasAgainAsItWas) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.processes.front().regions = {{"heap", Bytes(100 * kPageSize), 7, Kind::anon}};
    add(scenario, locker({{Call::mlock}, {Call::munmap}}, 2));
    const Result result = run(scenario);
    EXPECT_EQ(result.calls().at("mmap").duration.count(), 7U);
    EXPECT_EQ(result.calls().at("mmap").pages, 100U);
    EXPECT_EQ(result.calls().at("mlock").duration.max(), 100 * 1000ns);
    EXPECT_TRUE(result.calls().at("mlock").errors.empty());
  });
}

struct OfAKind {
  Kind kind;
  std::int64_t populated;
  std::int64_t unevictable;
};
class RegionKind : public testing::TestWithParam<OfAKind> {};
INSTANTIATE_TEST_SUITE_P(, RegionKind,
                         testing::Values(OfAKind{Kind::anon, 100, 100}, OfAKind{Kind::special, 100, 0},
                                         OfAKind{Kind::io, 0, 0}),
                         [](const auto& each) { return "Kind" + std::to_string(static_cast<int>(each.param.kind)); });
TEST_P(RegionKind, DecidesWhatMlockDoes) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.processes.front().regions.front().kind = GetParam().kind;
    add(scenario, locker({{Call::mlock}}));
    const Result result = run(scenario);
    EXPECT_EQ(result.calls().at("mlock").duration.max(), GetParam().populated * 1000ns);
    EXPECT_EQ(result.memory.at_end.unevictable, PageCount(GetParam().unevictable));
    EXPECT_EQ(result.memory.at_end.evictable(), PageCount(GetParam().populated - GetParam().unevictable));
  });
}

TEST(RegionOfHugetlb, IsMadePresentFromItsPoolAndNeverLocked) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.machine.costs.populate_huge = Constant{500us};
    RegionSpec& region = scenario.processes.front().regions.front();
    region.kind = Kind::hugetlb;
    region.size = Bytes(4 * kMiB);
    region.folio_order = kPmdOrder;
    scenario.memory.free = Bytes(1020 * kMiB);
    add(scenario, locker({{Call::mlock}}));
    const Result result = run(scenario);
    EXPECT_EQ(result.calls().at("mlock").duration.max(), 2 * 500us);
    EXPECT_EQ(result.memory.at_end.unevictable + result.memory.at_end.evictable(), PageCount(0));
    EXPECT_EQ(result.memory.at_end.hugetlb, PageCount(1024));
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Exit.

TEST(ExitOfAProcess, EndsTheThreadsOfItsProcessAndTheirRequests) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 1ms;
    add(scenario, locker({{Call::hold, 100us}, {Call::exit}}));
    add(scenario, faulter(OpenLoop{Constant{1us}}));
    const Result result = run(scenario);
    EXPECT_LE(result.classes.at(1).total().latency().count(), 100U);
    EXPECT_GE(result.classes.at(1).total().latency().count() + result.classes.at(1).warm_up, 99U);
    EXPECT_EQ(result.classes.at(1).unfinished, 0U);
  });
}

TEST(ExitOfAProcess, EndsTheScriptsOfItsProcessesOtherLockers) {
  check_in_child([] {
    Scenario scenario = machine();
    add(scenario, locker({{Call::hold, 100us}, {Call::exit}}));
    add(scenario, {"other", 2, LockerSpec{"heap", {{Call::mlock}, {Call::munlock}, {Call::exit}}, 1}});
    const Result result = run(scenario);
    EXPECT_EQ(result.calls().at("exit").duration.count(), 1U);
    EXPECT_EQ(result.memory.at_end.evictable() + result.memory.at_end.unevictable, PageCount(0));
  });
}

TEST(ExitOfAProcess, AReaderThatIsInsideUnmapsTheProcessItself) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 10ms;
    scenario.machine.costs.proc_cmdline = Constant{50us};
    add(scenario, locker({{Call::mlock}, {Call::hold, 10us}, {Call::exit}}));
    add_monitor(scenario, {"ps", 1, ProcReaderSpec{ProcReaderSpec::File::cmdline, "db", ClosedLoop{Constant{100us}}}});
    const Result result = run(scenario);
    // exit at 110 us, the reader is inside from 100 us to 150 us.
    EXPECT_EQ(result.calls().at("exit").duration.max(), 0ns);
    EXPECT_EQ(result.classes.at(1).total().latency().count(), 1U);
    EXPECT_EQ(result.classes.at(1).total().latency().max(), 50us + 100 * (400ns + 100ns));
    EXPECT_EQ(result.memory.at_end.unevictable, PageCount(0));
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Competitors.

TEST(Madviser, GivesTheRegionBackPieceByPiece) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 45us;
    add(scenario, faulter(ClosedLoop{Constant{1h}}, "heap"));
    add(scenario,
        {"recycler", 1, MadviserSpec{"heap", Advice::dontneed, Bytes(30 * kPageSize), ClosedLoop{Constant{9930ns}}}});
    const Result result = run(scenario);
    const Samples all = result.classes.at(1).total();
    EXPECT_EQ(all.latency().count(), 4U);
    EXPECT_EQ(all.latency().max(), 70ns);
    EXPECT_EQ(result.locks.at(0).statistics.all(LockMode::read).acquisitions, 4U);
    EXPECT_EQ(result.locks.at(0).statistics.all(LockMode::write).acquisitions, 0U);
  });
}

// Of two pieces, the first call splits the VMA and the second one merges it again, with other flags; then all that
// again with the flags as they were.
TEST(Madviser, TakesFlagsBackInTheNextRound) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.machine.costs.vma_split = 3us;
    scenario.machine.costs.vma_merge = 7us;
    scenario.duration = 105us;
    add(scenario, {"searcher", 1,
                   MadviserSpec{"heap", Advice::sequential, Bytes(50 * kPageSize), ClosedLoop{Constant{9'930ns}}}});
    const Result result = run(scenario);
    const Samples all = result.classes.at(0).total();
    // Due at 9.9, 22.9, 39.9, 52.9, 69.9, 82.9 and 99.9 us; the first is warm-up.
    EXPECT_EQ(all.latency().count(), 6U);
    EXPECT_EQ(all.latency().min(), 3070ns);
    EXPECT_EQ(all.latency().max(), 7070ns);
    EXPECT_EQ(result.locks.at(0).statistics.all(LockMode::read).acquisitions, 0U);
    EXPECT_EQ(result.locks.at(0).statistics.hold.at({0, Phase::madvise, LockMode::write}).count(), 7U);
  });
}

TEST(MincoreCaller, LooksAtAPieceOfTheRegion) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.machine.costs.mincore_page = 5ns;
    scenario.duration = 45us;
    add(scenario, {"seeker", 1, MincoreSpec{"heap", Bytes(30 * kPageSize), ClosedLoop{Constant{9'850ns}}}});
    const Result result = run(scenario);
    const Samples all = result.classes.at(0).total();
    EXPECT_EQ(all.latency().count(), 4U);
    EXPECT_EQ(all.latency().min(), 30 * 5ns);
    EXPECT_EQ(all.latency().max(), 30 * 5ns);
    EXPECT_EQ(result.locks.at(0).statistics.hold.at({0, Phase::mincore, LockMode::read}).count(), 4U);
  });
}

TEST(MsyncCaller, HasAPieceOfTheFileWrittenAndWaitsForIt) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.memory.device.queue_depth = 16;
    scenario.memory.device.write = Constant{20us};
    scenario.memory.free = Bytes(scenario.memory.size.count() - 10 * kPageSize);
    scenario.duration = 1ms;
    RegionSpec& file = scenario.processes.front().regions.emplace_back();
    file = {"file", Bytes(10 * kPageSize), 1, Kind::file, RegionSpec::Pages::cached};
    file.written = true;
    add(scenario, {"writer", 1, FaulterSpec{"file", ClosedLoop{Constant{300ns}}}});
    MsyncSpec msync{"file", Bytes(10 * kPageSize), ClosedLoop{Constant{10us}}};
    add(scenario, {"msync", 1, msync});
    const Result result = run(scenario);
    const Samples all = result.classes.at(1).total();
    // Every 30 us; the first is warm-up, the last under way.
    EXPECT_NEAR(static_cast<double>(all.latency().count()), 32, 1);
    EXPECT_GE(all.latency().min(), 20us);
    EXPECT_LE(all.latency().max(), 21us);
    EXPECT_EQ(result.locks.at(0).statistics.hold.at({1, Phase::msync, LockMode::read}).max(), 0ns);
    EXPECT_GT(result.memory.device.write.pages, 100U);
  });
}

TEST(GetMempolicyCaller, FaultsInWhatItAsksForOnlyToSeeOnWhichNodeItIs) {
  const auto run_with = [](bool node) {
    Scenario scenario = machine();
    scenario.machine.costs.get_mempolicy = Constant{40ns};
    scenario.processes.front().regions.front().size = Bytes(kPageSize);
    scenario.duration = 45us;
    add(scenario, {"numa", 1, GetMempolicySpec{"heap", node, OpenLoop{Constant{10us}}}});
    return run(scenario);
  };
  check_in_child([&] {
    const Result result = run_with(true);
    EXPECT_EQ(result.locks.at(0).statistics.hold.at({0, Phase::mempolicy, LockMode::read}).max(), 40ns + 1000ns);
    EXPECT_EQ(result.memory.at_end.evictable(), PageCount(1));
  });
  check_in_child([&] {
    const Result result = run_with(false);
    EXPECT_EQ(result.locks.at(0).statistics.hold.at({0, Phase::mempolicy, LockMode::read}).max(), 40ns);
    EXPECT_EQ(result.memory.at_end.evictable(), PageCount(0));
  });
}

TEST(AClassOfNobody, HasNoSamplesAndHoldsNobodyUp) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 45us;
    add(scenario, {"locker", 0, LockerSpec{"heap", {{Call::mlock}}, 1}});
    add(scenario, {"mapper", 0, MapperSpec{Bytes(kPageSize), OpenLoop{Constant{1us}}}});
    add(scenario, faulter(ClosedLoop{Constant{9'500ns}}));
    const Result result = run(scenario);
    ASSERT_EQ(result.class_names(), (std::vector<std::string>{"locker", "mapper", "faulter"}));
    EXPECT_TRUE(result.classes.at(1).total().latency().empty());
    EXPECT_EQ(result.classes.at(1).unfinished, 0U);
    EXPECT_EQ(result.classes.at(1).cpu(), 0ns);
    EXPECT_EQ(result.classes.at(2).total().latency().count(), 4U);
    EXPECT_EQ(result.sim_time, 45us);
    EXPECT_TRUE(result.calls().empty());
  });
}

TEST(AClassOfNobody, MayBeTheOnlyOne) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 45us;
    add(scenario, {"faulter", 0, FaulterSpec{std::nullopt, ClosedLoop{Constant{1us}}}});
    const Result result = run(scenario);
    EXPECT_EQ(result.sim_time, 45us);
    EXPECT_EQ(result.cool_down, 0ns);
  });
}

TEST(Protector, SplitsAndMergesInTurn) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.machine.costs.vma_split = 3us;
    scenario.machine.costs.vma_merge = 7us;
    scenario.duration = 105us;
    add(scenario, {"protector", 1, ProtectorSpec{"heap", Bytes(kPageSize), ClosedLoop{Constant{19'800ns}}}});
    const Result result = run(scenario);
    const Samples all = result.classes.at(0).total();
    EXPECT_EQ(all.latency().count(), 4U);
    EXPECT_EQ(all.latency().min(), 3200ns);
    EXPECT_EQ(all.latency().max(), 7200ns);
    EXPECT_EQ(result.locks.at(0).statistics.hold.at({0, Phase::mprotect, LockMode::write}).count(), 4U);
  });
}

TEST(Forker, HoldsMmapSemForItsVmasAndPages) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 250us;
    add(scenario, locker({{Call::mlock}}));
    add(scenario, {"forker", 1, ForkerSpec{ClosedLoop{Constant{200us}}}});
    const Result result = run(scenario);
    EXPECT_EQ(result.classes.at(1).total().latency().max(), 50ns + 100 * 10ns);
    EXPECT_EQ(result.locks.at(0).statistics.hold.at({1, Phase::fork, LockMode::write}).count(), 1U);
  });
}

TEST(RemoteReader, ReadsTheTargetsFirstRegion) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 250us;
    add(scenario, locker({{Call::mlock}}));
    add_monitor(scenario, {"gdb", 1, RemoteReaderSpec{"db", PageCount(16), ClosedLoop{Constant{200us}}}});
    const Result result = run(scenario);
    EXPECT_EQ(result.classes.at(1).total().latency().max(), 16 * 40ns);
    EXPECT_EQ(result.locks.at(0).statistics.hold.at({1, Phase::remote_read, LockMode::read}).count(), 1U);
    EXPECT_EQ(result.memory.at_end.unevictable, PageCount(100));
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Monitors of userfaultfd.

ThreadSpec toucher() {
  FaulterSpec touches{"heap", ClosedLoop{Constant{1us}}};
  touches.touch = true;
  return {"toucher", 1, touches};
}

// mlock gives mmap_sem up where it has to wait.
Policy gives_way() {
  Policy policy;
  policy.populate.mode = HoldMode::drop_and_read;
  policy.retry_on_io = true;
  return policy;
}

std::uint64_t pages_of_call(const Result& result, std::size_t number, const char* name) {
  const auto& calls = result.classes.at(number).calls;
  return calls.contains(name) ? calls.at(name).pages : 0;
}

TEST(Monitor, FillsEachPageInOnceAndPushesTheRestAsItComes) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 20ms;
    add(scenario, toucher());
    add(scenario, {"monitor", 1, UserfaultSpec{.region = "heap", .fetch = Constant{50us}, .push = Constant{5us}}});
    const Result result = run(scenario);
    EXPECT_EQ(pages_of_call(result, 1, "UFFDIO_COPY"), 100U);
    EXPECT_GT(result.classes.at(0).total().blame().causes.at(static_cast<std::size_t>(Cause::userfault)), 0ns);
    EXPECT_EQ(result.memory.at_end.evictable(), PageCount(100));
  });
}

// Pieces end where VMAs do: each of them is filled in all the same.
TEST(Monitor, FillsPiecesInThatLieInSeveralVmas) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.processes.front().regions.front().vmas = 7;
    add(scenario, {"monitor", 2, UserfaultSpec{.region = "heap", .size = Bytes(30 * kPageSize)}});
    add(scenario, locker({{Call::hold, 10us}, {Call::mlock}, {Call::munlock}}));
    const Result result = simulate(scenario, gives_way(), {});
    EXPECT_EQ(result.memory.at_end.evictable(), PageCount(100)) << "munlock found them all";
  });
}

TEST(Monitor, MovesWhatIsThereAndCopiesTheRest) {
  check_in_child([] {
    Scenario scenario = machine();
    RegionSpec from{"from", Bytes(40 * kPageSize)};
    from.pages = RegionSpec::Pages::resident;
    scenario.processes.front().regions.push_back(from);
    scenario.memory.free = Bytes(scenario.memory.size.count() - from.size.count());
    UserfaultSpec monitor{.region = "heap", .size = Bytes(30 * kPageSize)};
    monitor.move_from = "from";
    monitor.push = Constant{5us};
    add(scenario, {"collector", 1, monitor});
    add(scenario, toucher());
    scenario.duration = 20ms;
    const Result result = simulate(scenario, gives_way(), {});
    EXPECT_EQ(pages_of_call(result, 0, "UFFDIO_MOVE"), 40U);
    EXPECT_EQ(pages_of_call(result, 0, "UFFDIO_COPY"), 60U);
    EXPECT_EQ(result.memory.at_end.evictable(), PageCount(100));
  });
}

// A process may exit while its monitors register, while threads wait for a page, and while others are in mlock.
TEST(Monitor, NobodyWaitsForItWhenTheProcessExits) {
  for (const sim::Nanoseconds when : {sim::Nanoseconds{0ns}, sim::Nanoseconds{60us}}) {
    check_in_child([&] {
      Scenario scenario = machine();
      scenario.processes.front().regions.push_back({"other", Bytes(100 * kPageSize)});
      add(scenario, locker({{Call::hold, when}, {Call::exit}}));
      add(scenario, {"second", 1, LockerSpec{"heap", {{Call::hold, 10us}, {Call::mlock}}, 1}});
      add(scenario, toucher());
      add(scenario, {"monitor", 1, UserfaultSpec{.region = "heap", .fetch = Constant{1ms}}});
      add(scenario, {"neighbour", 1, UserfaultSpec{.region = "other"}});
      EXPECT_EQ(run(scenario).memory.at_end.total(), PageCount(262144));
    });
  }
}

// Whoever goes through a region once has its last request counted once, however late it comes.
TEST(Madviser, WhoComesOnceIsTakenOffOnce) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 25us;
    MadviserSpec once{"heap", Advice::dontneed, Bytes(100 * kPageSize), OpenLoop{Constant{10us}}};
    once.visits.once = true;
    add(scenario, {"once", 1, once});
    EXPECT_EQ(run(scenario).classes.at(0).total().latency().count(), 1U);
    scenario.machine.costs.madvise = Constant{40us};
    EXPECT_LE(run(scenario).classes.at(0).total().latency().count(), 1U);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Holders.

ThreadSpec holder(HolderSpec::Mode mode, sim::Distribution hold, Arrival arrival,
                  HolderSpec::Yields yields = HolderSpec::Yields::never) {
  return {"holder", 1, HolderSpec{"db", mode, std::move(hold), yields, std::move(arrival)}};
}

TEST(Holder, HoldsMmapSemOfItsTargetInItsModeAndIsBlamedForIt) {
  for (const auto mode : {HolderSpec::Mode::read, HolderSpec::Mode::write}) {
    check_in_child([mode] {
      Scenario scenario = machine();
      scenario.duration = 960us;
      add(scenario, faulter(OpenLoop{Constant{10us}}));
      add_monitor(scenario, holder(mode, Constant{50us}, OpenLoop{Constant{100us}}));
      const Result result = run(scenario);
      const LockMode held = mode == HolderSpec::Mode::read ? LockMode::read : LockMode::write;
      const sim::Histogram& holds = result.locks.at(0).statistics.hold.at({1, Phase::hold, held});
      EXPECT_EQ(holds.count(), 9U);
      EXPECT_EQ(holds.max(), 50us);
      const Samples faults = result.classes.at(0).total();
      if (mode == HolderSpec::Mode::read) {
        EXPECT_EQ(faults.latency().max(), 500ns);
        return;
      }
      // Due as the hold begins, or just before it: until its end.
      EXPECT_GE(faults.latency().max(), 40us);
      EXPECT_LE(faults.latency().max(), 50us + 500ns);
      for (const auto& [lock, wait] : faults.blame().lock_waits) {
        EXPECT_EQ(lock.holder, 1);
        EXPECT_EQ(lock.phase, Phase::hold);
        EXPECT_EQ(lock.mode, LockMode::write);
      }
    });
  }
}

// M/G/1: whoever comes finds it held with probability lambda E[H], and then for the rest of a hold, which is
// E[H^2] / 2 E[H] in the mean. The holder itself queues behind him, so that its backlog does not matter. He comes
// seldom, so as not to wait for himself.
TEST(Holder, WhoComesWaitsForTheRestOfAHoldInTheMean) {
  constexpr double kHold = 50'000;
  struct Case {
    sim::Distribution hold;
    double rest;
  };
  for (const Case& each : {Case{Constant{50us}, kHold / 2}, Case{sim::Exponential{50us}, kHold}}) {
    check_in_child([&] {
      Scenario scenario = machine();
      scenario.duration = 10s;
      add(scenario, faulter(OpenLoop{sim::Exponential{2ms}}));
      add_monitor(scenario, holder(HolderSpec::Mode::write, each.hold, OpenLoop{sim::Exponential{100us}}));
      const Result result = run(scenario);
      const Samples faults = result.classes.at(0).total();
      sim::Nanoseconds waited{};
      for (const auto& [lock, time] : faults.blame().lock_waits) waited += time;
      const double mean = static_cast<double>(waited.count()) / static_cast<double>(faults.latency().count());
      EXPECT_NEAR(mean, 0.5 * each.rest, 0.05 * each.rest);
    });
  }
}

TEST(Holder, WithoutATargetHoldsThatOfItsOwnProcess) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 960us;
    ThreadSpec own = holder(HolderSpec::Mode::write, Constant{50us}, OpenLoop{Constant{100us}});
    std::get<HolderSpec>(own.run).target.clear();
    add(scenario, own);
    EXPECT_EQ(run(scenario).locks.at(0).statistics.hold.at({0, Phase::hold, LockMode::write}).count(), 9U);
  });
}

// The lock, where somebody queues for it, after each step; its CPU alone; or nothing.
TEST(Holder, GivesWayAsItYields) {
  using Yields = HolderSpec::Yields;
  const auto longest_wait = [](Yields yields) {
    Scenario scenario = machine();
    scenario.duration = 20ms;
    add(scenario, faulter(OpenLoop{Constant{70us}}));
    add_monitor(scenario, holder(HolderSpec::Mode::write, Constant{1ms}, OpenLoop{Constant{3ms}}, yields));
    return run(scenario).classes.at(0).total().latency().max();
  };
  const auto longest_hold = [](Yields yields) {
    Scenario scenario = machine();
    scenario.machine.cpus = 1;
    scenario.duration = 100ms;
    add(scenario, {"busy", 1, BusySpec{}});
    add_monitor(scenario, holder(HolderSpec::Mode::write, Constant{10ms}, ClosedLoop{Constant{1ms}}, yields));
    return run(scenario).locks.at(0).statistics.hold.at({1, Phase::hold, LockMode::write}).max();
  };
  check_in_child([&] { EXPECT_GT(longest_wait(Yields::cpu), 900us); });
  check_in_child([&] { EXPECT_LE(longest_wait(Yields::lock), kHolderStep + 500ns); });
  check_in_child([&] { EXPECT_EQ(longest_hold(Yields::never), 10ms); });
  check_in_child([&] { EXPECT_GT(longest_hold(Yields::cpu), 10ms); });
}

// Pollaczek and Khinchine: who comes at any time finds as much work as W = rate x E[S^2] / (2 (1 - rate x E[S])), and
// waits for it. Holders of
// 200 threads that come as one Poisson stream, at half of what they can do: so many that hardly one has another one
// waiting for itself, which the lock would not know of; and rare readers.
TEST(Holder, WritersThatComeByPoissonAreWaitedForAsPollaczekAndKhinchineHaveIt) {
  constexpr double kWork = 100'000;  // ns, of one hold
  struct Case {
    sim::Distribution hold;
    double mean_square;
  };
  for (const Case& each : {Case{Constant{100us}, kWork * kWork}, Case{Exponential{100us}, 2 * kWork * kWork}}) {
    check_in_child([&each] {
      constexpr double kRate = 0.5 / kWork;
      const double expected = kRate * each.mean_square / (2 * (1 - kRate * kWork));
      double sum = 0;
      double squares = 0;
      constexpr int kRuns = 12;
      for (int seed = 1; seed <= kRuns; ++seed) {
        Scenario scenario = machine();
        scenario.machine.cpus = 64;
        scenario.seed = static_cast<std::uint64_t>(seed);
        scenario.duration = 2s;
        ThreadSpec writers = holder(HolderSpec::Mode::write, each.hold, OpenLoop{Exponential{40ms}});
        writers.count = 200;
        add_monitor(scenario, writers);
        ThreadSpec readers = holder(HolderSpec::Mode::read, Constant{0ns}, OpenLoop{Exponential{20ms}});
        readers.name = "reader";
        readers.count = 40;
        add_monitor(scenario, readers);
        const double mean = run(scenario).classes.at(1).total().latency().mean();
        sum += mean;
        squares += mean * mean;
      }
      const double mean = sum / kRuns;
      const double error = std::sqrt((squares / kRuns - mean * mean) / (kRuns - 1));
      constexpr double kStudent = 4.4;  // 11 degrees of freedom, 99.9 %
      EXPECT_NEAR(mean, expected, kStudent * error);
      EXPECT_NEAR(mean, expected, 0.06 * expected);
    });
  }
}

// ---------------------------------------------------------------------------------------------------------------

TEST(ProcReader, ReadsMapsAndSmapsBufferByBuffer) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 290us;
    scenario.processes.front().regions = {{"heap", Bytes(100 * kPageSize), 100, Kind::anon}};
    add_monitor(scenario, {"maps", 1, ProcReaderSpec{ProcReaderSpec::File::maps, "db", ClosedLoop{Constant{200us}}}});
    add_monitor(scenario, {"smaps", 1, ProcReaderSpec{ProcReaderSpec::File::smaps, "db", ClosedLoop{Constant{200us}}}});
    const Result result = run(scenario);
    const auto& holds = result.locks.at(0).statistics.hold;
    EXPECT_EQ(holds.at({0, Phase::proc_read, LockMode::read}).count(), 2U);
    // A buffer of 4096 bytes takes 83 lines, or 5 records; the next one is formatted in vain, and again the next time.
    EXPECT_EQ(holds.at({0, Phase::proc_read, LockMode::read}).max(), 84 * 30ns);
    EXPECT_EQ(holds.at({1, Phase::proc_read, LockMode::read}).count(), 20U);
    EXPECT_EQ(holds.at({1, Phase::proc_read, LockMode::read}).max(), 6 * 90ns);
    EXPECT_EQ(result.classes.at(0).total().latency().max(), 101 * 30ns);
  });
}

TEST(SeveralLockers, TheLastToEnterACallNamesThePhase) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.processes.front().regions.push_back({"other", Bytes(10 * kPageSize)});
    // mlock of heap from 10 us to 110 us; munmap of other (absent pages) from 50 us on waits for it.
    add(scenario, locker({{Call::hold, 10us}, {Call::mlock}, {Call::hold, 10us}}));
    add(scenario, {"second", 1, LockerSpec{"other", {{Call::hold, 50us}, {Call::munmap}}, 1}});
    add_monitor(scenario, {"ps", 1, ProcReaderSpec{ProcReaderSpec::File::cmdline, "db", OpenLoop{Constant{4us}}}});
    const Result result = run(scenario);
    const auto& during = result.classes.at(2).during;
    // Due at 12, 16, ... 48, and at 52 ... 108.
    EXPECT_EQ(during.at(Phase::mlock_populate).latency().count(), 10U);
    EXPECT_EQ(during.at(Phase::munmap).latency().count(), 15U);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// All at once.

struct Era {
  std::string name;
  Policy policy;
};
void PrintTo(const Era& era, std::ostream* out) { *out << era.name; }

Policy policy_of(HoldMode mode, HoldMode munmap, FaultLock fault) {
  Policy policy;
  policy.name = "test";
  policy.populate.mode = mode;
  policy.munlock.mode = mode;
  policy.grow.mode = mode;
  policy.munmap.mode = munmap;
  policy.fault = fault;
  return policy;
}

Policy zap_under_vma_lock() {
  Policy policy = policy_of(HoldMode::drop_and_read, HoldMode::downgrade, FaultLock::per_vma);
  policy.zap_under_vma_lock = true;
  policy.rwsem = RwsemFlavour::spin_handoff;
  return policy;
}

class Everybody : public testing::TestWithParam<Era> {};
INSTANTIATE_TEST_SUITE_P(
    , Everybody,
    testing::Values(Era{"WriteHeld", policy_of(HoldMode::write_held, HoldMode::write_held, FaultLock::mmap_sem)},
                    Era{"Downgrade", policy_of(HoldMode::downgrade, HoldMode::write_held, FaultLock::mmap_sem)},
                    Era{"DropAndRead", policy_of(HoldMode::drop_and_read, HoldMode::downgrade, FaultLock::mmap_sem)},
                    Era{"PerVma", policy_of(HoldMode::drop_and_read, HoldMode::downgrade, FaultLock::per_vma)},
                    Era{"PerVmaZap", zap_under_vma_lock()},
                    Era{"PerVmaWriteHeld", policy_of(HoldMode::write_held, HoldMode::write_held, FaultLock::per_vma)}),
    [](const auto& each) { return each.param.name; });

Scenario crowd(std::uint64_t seed) {
  Scenario scenario = machine();
  scenario.seed = seed;
  scenario.machine.cpus = 4;
  scenario.machine.scheduler = {20us, 100ns, 300ns};
  Costs& costs = scenario.machine.costs;
  costs.rwsem_operation = 20ns;
  costs.rwsem_wake = 400ns;
  costs.find_vma = 50ns;
  costs.vma_split = 300ns;
  costs.vma_merge = 300ns;
  costs.system_call = 100ns;
  costs.lru_add_drain_all = 100ns;
  costs.mlock_page = Constant{200ns};
  costs.mincore_page = 3ns;
  costs.get_mempolicy = Constant{60ns};
  scenario.processes.front().regions = {{"heap", Bytes(700 * kPageSize), 3, Kind::anon},
                                        {"device", Bytes(20 * kPageSize), 1, Kind::special},
                                        {"file", Bytes(100 * kPageSize), 2, Kind::file},
                                        {"shm", Bytes(100 * kPageSize), 1, Kind::shmem}};
  scenario.processes.front().regions[2].written = true;
  scenario.memory.device.write = Exponential{300us};
  scenario.memory.device.stable_pages = seed % 2 == 0;
  costs.page_mkwrite = 200ns;
  costs.writeback_page = 70ns;
  const Arrival closed = ClosedLoop{Exponential{30us}};
  const Arrival open = OpenLoop{Exponential{40us}};
  const Arrival rare = ClosedLoop{Exponential{400us}};
  add(scenario, {"locker", 2,
                 LockerSpec{"heap",
                            {{Call::mlock},
                             {Call::hold, 20us},
                             {Call::munlock},
                             {Call::mlockall},
                             {Call::munlockall},
                             {Call::munmap},
                             {Call::mlockall_future},
                             {Call::brk, {}, Bytes(50 * kPageSize)},
                             {Call::stack, {}, Bytes(10 * kPageSize)},
                             {Call::mlock},
                             {Call::remap_file_pages},
                             {Call::munlockall}},
                            2}});
  add(scenario, {"leaver", 1, LockerSpec{"device", {{Call::mmap_locked}, {Call::hold, 20ms}, {Call::exit}}, 1}});
  add(scenario, faulter(closed));
  add(scenario, {"heap_faulter", 2, FaulterSpec{"heap", open}});
  add(scenario, {"mapper", 1, MapperSpec{Bytes(3 * kPageSize), closed}});
  add(scenario, {"recycler", 1, MadviserSpec{"heap", Advice::dontneed, Bytes(64 * kPageSize), closed}});
  add(scenario, {"searcher", 1, MadviserSpec{"heap", Advice::sequential, Bytes(64 * kPageSize), rare}});
  add(scenario, {"populater", 1, MadviserSpec{"heap", Advice::populate_read, Bytes(64 * kPageSize), rare}});
  add(scenario, {"seeker", 1, MincoreSpec{"heap", Bytes(64 * kPageSize), rare}});
  add(scenario, {"numa", 1, GetMempolicySpec{"heap", true, rare}});
  add(scenario, {"protector", 1, ProtectorSpec{"heap", Bytes(10 * kPageSize), open}});
  add(scenario, {"forker", 1, ForkerSpec{ClosedLoop{Exponential{500us}}}});
  MoverSpec mover;
  mover.region = "heap";
  mover.size = Bytes(64 * kPageSize);
  mover.arrival = rare;
  add(scenario, {"mover", 1, mover});
  PinnerSpec pinner;
  pinner.region = "heap";
  pinner.size = Bytes(64 * kPageSize);
  pinner.by = PinnerSpec::By::vfio;
  pinner.arrival = rare;
  add(scenario, {"pinner", 1, pinner});
  add(scenario, {"writer", 2, FaulterSpec{"file", closed}});
  add(scenario, {"toucher", 1, FaulterSpec{"shm", closed}});
  add(scenario, {"puncher", 1, MadviserSpec{"shm", Advice::remove, Bytes(10 * kPageSize), rare}});
  add(scenario, {"msync", 1, MsyncSpec{"file", Bytes(64 * kPageSize), rare}});
  add_monitor(scenario, {"clear_refs", 1, ProcReaderSpec{ProcReaderSpec::File::clear_refs, "db", rare}});
  add_monitor(scenario, {"pagemap", 1, ProcReaderSpec{ProcReaderSpec::File::pagemap, "db", rare}});
  add_monitor(scenario, {"gdb", 1, RemoteReaderSpec{"db", PageCount(20), open}});
  add_monitor(scenario, {"khugepaged", 1, KhugepagedSpec{.target = "db", .arrival = rare}});
  add_monitor(scenario, {"numa_balancing", 1, NumaBalancingSpec{"db", Bytes(64 * kPageSize), rare}});
  add_monitor(scenario, {"ksm", 1, KsmSpec{.target = "db", .arrival = rare}});
  add_monitor(scenario, {"reclaimer", 1, MadviserSpec{"heap", Advice::cold, Bytes(64 * kPageSize), rare, {}, "db"}});
  add_monitor(scenario, {"maps", 1, ProcReaderSpec{ProcReaderSpec::File::maps, "db", closed}});
  add_monitor(scenario, {"smaps", 1, ProcReaderSpec{ProcReaderSpec::File::smaps, "db", open}});
  return scenario;
}

TEST_P(Everybody, StepwiseAndDefaultRunsEndWithTheSameResultAndNoPageIsLost) {
  for (const std::uint64_t seed : tests::seeds(2)) {
    const auto result = [&](bool stepwise) {
      return tests::in_child([&] {
        const Result found = simulate(crowd(seed), GetParam().policy, {stepwise, {}});
        EXPECT_EQ(found.memory.at_end.total(), PageCount(262144));
        return tests::packed(found, stepwise);
      });
    };
    ASSERT_EQ(tests::difference(result(false), result(true)), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace models::competitors_test
