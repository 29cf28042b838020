#include "models/workload/workload.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cmath>
#include <map>
#include <utility>

#include "models/simulation.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models::workload_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using tests::check_in_child;
using tests::kMiB;
using Call = ScriptStep::Call;

Scenario machine() {
  Scenario scenario;
  scenario.machine.cpus = 8;
  scenario.machine.scheduler = {1ms, 0ns, 0ns};
  Costs& costs = scenario.machine.costs;
  costs.populate_page = Constant{1000ns};
  costs.munlock_page = Constant{400ns};
  costs.zap_page = Constant{100ns};
  costs.fault = Constant{500ns};
  costs.mmap = Constant{300ns};
  costs.munmap = Constant{600ns};
  scenario.memory.size = scenario.memory.free = Bytes(1024 * kMiB);
  scenario.processes.push_back({"db", true, {}, {{"heap", Bytes(10 * kPageSize)}}, {}});
  return scenario;
}

Result run(const Scenario& scenario) { return simulate(scenario, Policy{}, {}); }

// A field that a test does not name keeps its default.
FaulterSpec faulter(Arrival arrival) {
  FaulterSpec spec;
  spec.arrival = std::move(arrival);
  return spec;
}

void add(Scenario& scenario, ThreadSpec thread) { scenario.processes.front().threads.push_back(std::move(thread)); }

// A request every 10.5 us, the first after the first think time: 95 end by 1 ms, and the first is warm-up.
TEST(ClosedLoop, ThinksAfterEachRequest) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 1ms;
    add(scenario, {"faulter", 2, faulter(ClosedLoop{Constant{10us}})});
    const Result result = run(scenario);
    const Samples all = result.classes.at(0).total();
    EXPECT_EQ(all.latency().count(), 2 * 94U);
    EXPECT_EQ(all.latency().min(), 500ns);
    EXPECT_EQ(all.latency().max(), 500ns);
    EXPECT_FALSE(result.classes.at(0).open_loop);
    EXPECT_EQ(result.classes.at(0).cpu(), 2 * 95 * 500ns);
    EXPECT_EQ(result.memory.allocated, 2 * 95U);
  });
}

// Due every 400 ns, served in 500: the k-th from 0 ends at 400 + 500 (k + 1). Those due before the first one ends, at
// 900, are warm-up; those due by the end are served after it.
TEST(OpenLoop, CountsFromWhenARequestWasDueHoweverFarTheThreadIsBehind) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 100'000ns;
    add(scenario, {"faulter", 1, faulter(OpenLoop{Constant{400ns}})});
    const Result result = run(scenario);
    const Samples all = result.classes.at(0).total();
    EXPECT_TRUE(result.classes.at(0).open_loop);
    // 400 + 500 (k + 1) <= 100000: k up to 198. Due by then: 250.
    EXPECT_EQ(all.latency().count(), 248U);
    EXPECT_EQ(result.classes.at(0).unfinished, 250U - 199U);
    EXPECT_EQ(all.latency().min(), 500ns + 2 * 100ns);
    EXPECT_EQ(all.latency().max(), 500ns + 249 * 100ns);
  });
}

TEST(Mapper, MapsAndUnmapsInTurn) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 1ms;
    add(scenario, {"mapper", 1, MapperSpec{Bytes(4 * kPageSize), ClosedLoop{Constant{9us}}}});
    const Result result = run(scenario);
    // 9 us + 300 ns and 9 us + 600 ns: 52 pairs in 982.8 us, and one mmap more until 992.1 us.
    // The first one is warm-up.
    EXPECT_EQ(result.classes.at(0).total().latency().count(), 104U);
    const RwsemStatistics& statistics = result.locks.at(0).statistics;
    EXPECT_EQ(statistics.hold.at({0, Phase::mmap, LockMode::write}).count(), 53U);
    EXPECT_EQ(statistics.hold.at({0, Phase::munmap, LockMode::write}).count(), 52U);
    EXPECT_EQ(result.classes.at(0).total().latency().max(), 600ns);
  });
}

TEST(ClosedLoop, ComputesAfterItHasThoughtAndThatIsNoPartOfTheRequest) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 1ms;
    ClosedLoop closed{Constant{10us}};
    closed.compute = Constant{4us};
    add(scenario, {"faulter", 1, faulter(closed)});
    const Result result = run(scenario);
    // A request every 14.5 us; the first is warm-up.
    EXPECT_EQ(result.classes.at(0).total().latency().count(), 67U);
    EXPECT_EQ(result.classes.at(0).total().latency().max(), 500ns);
    EXPECT_EQ(result.classes.at(0).cpu(), 68 * 4500ns + 4us);  // the 69th is about to fault when the run ends
  });
}

// What the VMAs take.
std::uint64_t slab_of(const Result& result) { return static_cast<std::uint64_t>(result.memory.at_end.slab.count()); }

// There and back again: 10 pages each, and what it locked there it has still locked here.
TEST(Locker, GoesOnWithItsRegionWhereMremapHasMovedIt) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.machine.costs.remap_page = 10ns;
    const LockerSpec locker{
        "heap", {{Call::mlock}, {Call::mremap}, {Call::munlock}, {Call::mlock}, {Call::mremap_aligned}}, 1};
    add(scenario, {"locker", 1, locker});
    const Result result = run(scenario);
    const CallRecords& calls = result.classes.at(0).calls;
    for (const char* call : {"mremap", "mremap_aligned", "munlock"}) {
      EXPECT_EQ(calls.at(call).duration.count(), 1U) << call;
      EXPECT_EQ(calls.at(call).pages, 10U) << call;
      EXPECT_TRUE(calls.at(call).errors.empty()) << call;
    }
    EXPECT_EQ(calls.at("mremap").duration.max(), 10 * 10ns + 600ns) << "and unmapping the old place";
    EXPECT_EQ(calls.at("munlock").duration.max(), 10 * 400ns);
    EXPECT_FALSE(calls.contains("mmap")) << "it is never missing";
    EXPECT_EQ(result.memory.allocated, 10U + slab_of(result));
    EXPECT_EQ(result.memory.at_end.unevictable, PageCount(10));
  });
}

TEST(Locker, WhoseRegionIsNotOneVmaCannotMoveIt) {
  check_in_child([] {
    Scenario scenario = machine();
    ScriptStep part{Call::mlock, {}, Bytes(kPageSize)};
    part.at = Bytes(0);
    add(scenario, {"locker", 1, LockerSpec{"heap", {part, {Call::mremap}, {Call::munlock}}, 1}});
    const Result result = run(scenario);
    EXPECT_EQ(result.classes.at(0).calls.at("mremap").errors.at(EFAULT), 1U);
    EXPECT_EQ(result.memory.at_end.unevictable, PageCount(0)) << "it stays where it was";
  });
}

TEST(Mapper, InARegionMapsAndUnmapsByACoinAnywhereInIt) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 20ms;
    scenario.processes.front().regions = {{"heap", Bytes(64 * kPageSize)}};
    MapperSpec mapper{Bytes(kPageSize), ClosedLoop{Constant{10us}}};
    mapper.region = "heap";
    add(scenario, {"mapper", 1, mapper});
    const Result result = run(scenario);
    const auto& hold = result.locks.at(0).statistics.hold;
    const auto maps = static_cast<double>(hold.at({0, Phase::mmap, LockMode::write}).count());
    const auto unmaps = static_cast<double>(hold.at({0, Phase::munmap, LockMode::write}).count());
    EXPECT_NEAR(maps / (maps + unmaps), 0.5, 5 * 0.5 / std::sqrt(maps + unmaps));
    EXPECT_EQ(result.memory.allocated, slab_of(result)) << "without MAP_POPULATE nothing is faulted in";
  });
}

TEST(Mapper, WithMapPopulateItFaultsInWhatItMaps) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.duration = 1ms;
    MapperSpec mapper{Bytes(3 * kPageSize), ClosedLoop{Constant{10us}}};
    mapper.populate = true;
    add(scenario, {"mapper", 1, mapper});
    const Result result = run(scenario);
    const auto maps = result.locks.at(0).statistics.hold.at({0, Phase::mmap, LockMode::write}).count();
    EXPECT_EQ(result.memory.allocated, 3 * maps + slab_of(result));
    EXPECT_GE(result.classes.at(0).total().latency().max(), 300ns + 3 * 1000ns);
  });
}

TEST(Pinned, EachThreadHasACpuOfItsOwn) {
  const auto cpu_of = [](int threads, bool pinned) {
    return tests::in_child([&] {
      Scenario scenario = machine();
      scenario.duration = 10ms;
      ThreadSpec busy{"busy", threads, BusySpec{}, {}, pinned};
      busy.sched.cpus = {1, 2};
      add(scenario, busy);
      return std::to_string(run(scenario).classes.at(0).cpu().count());
    });
  };
  EXPECT_EQ(cpu_of(1, true), "10000000");
  EXPECT_EQ(cpu_of(2, true), "20000000");
  EXPECT_EQ(cpu_of(3, true), "20000000") << "the third shares with the first";
}

// A task at nice 15 that has had more than its share goes on paying for it; a new process owes nothing. Alone with a
// busy thread, it then gets far more of the CPU than 36 parts of 1060.
TEST(ProcReader, AsANewProcessEachTimeItOwesNothing) {
  const auto cpu_of_reader = [](bool new_process) {
    return std::stod(tests::in_child([&] {
      Scenario scenario = machine();
      scenario.duration = 2s;
      scenario.machine.scheduler = SchedulerSpec{};
      scenario.machine.scheduler.flavour = FairFlavour::eevdf;
      scenario.machine.scheduler.delayed_dequeue = true;
      scenario.machine.costs.proc_open = Constant{500us};
      ProcReaderSpec reader;
      reader.target = "db";
      reader.arrival = ClosedLoop{Constant{10us}};
      reader.new_process = new_process;
      ThreadSpec cat{"cat", 1, reader};
      cat.sched.nice = 15;
      cat.sched.cpus = {1};
      add(scenario, cat);
      ThreadSpec busy{"busy", 1, BusySpec{}};
      busy.sched.cpus = {1};
      add(scenario, busy);
      return std::to_string(run(scenario).classes.at(0).cpu().count());
    }));
  };
  constexpr double kShare = 2e9 * 36 / 1060;
  EXPECT_NEAR(cpu_of_reader(false), kShare, 0.1 * kShare);
  EXPECT_GT(cpu_of_reader(true), 2 * kShare);
}

TEST(Locker, WalksThroughItsScriptAndMapsTheRegionAgainWhereNeeded) {
  check_in_child([] {
    Scenario scenario = machine();
    add(scenario,
        {"locker", 1,
         LockerSpec{"heap", {{Call::mlock}, {Call::hold, 7us}, {Call::munlock}, {Call::mlock}, {Call::munmap}}, 3}});
    const Result result = run(scenario);
    std::map<std::string, std::uint64_t> calls;
    for (const auto& [name, record] : result.calls()) {
      calls[name] = record.duration.count();
      EXPECT_EQ(record.pages, 10 * record.duration.count());
      EXPECT_TRUE(record.errors.empty());
    }
    EXPECT_EQ(calls, (std::map<std::string, std::uint64_t>{{"mlock", 6}, {"munlock", 3}, {"munmap", 3}, {"mmap", 2}}));
    EXPECT_EQ(result.calls().at("mlock").duration.max(), 10 * 1000ns);
    EXPECT_EQ(result.calls().at("mlock").duration.min(), 0ns);  // after munlock all pages are present
    EXPECT_EQ(result.calls().at("munlock").duration.max(), 10 * 400ns);
    EXPECT_EQ(result.calls().at("munmap").duration.max(), 600ns + 10 * (400ns + 100ns));
    EXPECT_EQ(result.sim_time, 3 * (10us + 7us + 4us + 5600ns) + 2 * 300ns);
  });
}

TEST(Locker, CountsItsFailuresByErrno) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.processes.front().cap_ipc_lock = false;
    scenario.processes.front().rlimit_memlock = Bytes(9 * kPageSize);
    add(scenario, {"locker", 1, LockerSpec{"heap", {{Call::mlock}}, 4}});
    const Result result = run(scenario);
    EXPECT_EQ(result.calls().at("mlock").errors, (std::map<int, std::uint64_t>{{ENOMEM, 4}}));
    EXPECT_EQ(result.calls().at("mlock").duration.count(), 4U);
  });
}

TEST(Locker, IsIdleWhileItHolds) {
  check_in_child([] {
    Scenario scenario = machine();
    add(scenario, {"locker", 1, LockerSpec{"heap", {{Call::hold, 50us}, {Call::mlock}, {Call::hold, 50us}}, 1}});
    add(scenario, {"faulter", 1, faulter(OpenLoop{Constant{1us}})});
    const Result result = run(scenario);
    // mlock is from 50 us to 60 us; what is due at 60 us is due in the second hold.
    EXPECT_EQ(result.classes.at(1).during.at(Phase::mlock_populate).latency().count(), 10U);
    EXPECT_GE(result.classes.at(1).during.at(Phase::idle).latency().count(), 98U);
    EXPECT_EQ(result.classes.at(1).during.size(), 2U);
  });
}

// Batches of 32 pages at exponential intervals: their number in a second is Poisson, 8000 expected.
TEST(Background, AllocatesAtItsRate) {
  check_in_child([] {
    Scenario scenario = machine();
    scenario.memory.background = Bytes(1000 * kMiB);
    scenario.duration = 1s;
    const Result result = run(scenario);
    const double batches = static_cast<double>(result.memory.allocated) / 32;
    EXPECT_NEAR(batches, 8000, 4 * std::sqrt(8000.0));
    EXPECT_EQ(result.memory.at_end.inactive_file.count(), 32 * static_cast<std::int64_t>(batches));
    EXPECT_EQ(result.memory.at_end.total().count(), 262144);
  });
}

}  // namespace
}  // namespace models::workload_test
