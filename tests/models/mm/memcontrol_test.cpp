#include "models/mm/memcontrol.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "models/simulation.h"
#include "tests/support/in_child.h"
#include "tests/support/result_text.h"
#include "tests/support/small_machine.h"

namespace models::memcontrol_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Exponential;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::kMiB;
using Call = ScriptStep::Call;

constexpr Nanoseconds kScan = 10us;
constexpr Nanoseconds kReclaim = 300ns;

// ---------------------------------------------------------------------------------------------------------------
// How long a task sleeps that has gone beyond memory.high.

// x beyond it by 64 pages: hz x (x 2^20)^2 / 2^34 ticks, which is 64 x^2 seconds.
TEST(CalculateHighDelay, Is64SecondsTimesTheSquareOfTheOverage) {
  constexpr PageCount kHigh(100'000);
  const auto delay = [&](std::int64_t over, PageCount taken = kMemcgChargeBatch, Nanoseconds tick = 1ms) {
    return calculate_high_delay(kHigh + PageCount(over), kHigh, taken, tick);
  };
  EXPECT_EQ(delay(0), 0ns);
  EXPECT_EQ(delay(10'000), 639ms);  // 640, but for what the shifts lose
  EXPECT_EQ(delay(5'000), 159ms);
  EXPECT_EQ(delay(10'000, PageCount(32)), 319ms);
  EXPECT_EQ(delay(10'000, PageCount(1)), 0ns);  // 10 ms would not be worth it
  EXPECT_EQ(delay(50'000), 2s);
  EXPECT_EQ(delay(100'000'000), 2s);
  EXPECT_EQ(delay(10'000, kMemcgChargeBatch, 4ms), 636ms);
}

// ---------------------------------------------------------------------------------------------------------------
// Groups at their limits.

// A gibibyte with nothing in it, and a process in a group.
Scenario machine(std::optional<Bytes> max, std::optional<Bytes> high = std::nullopt) {
  Scenario scenario;
  scenario.machine.cpus = 16;
  scenario.machine.scheduler = {1ms, 0ns, 0ns};
  Costs& costs = scenario.machine.costs;
  costs.populate_page = Constant{1000ns};
  costs.fault = Constant{500ns};
  costs.mmap = Constant{300ns};
  costs.munmap = Constant{600ns};
  costs.proc_cmdline = Constant{200ns};
  costs.scan_page = Constant{kScan};
  costs.reclaim_page = Constant{kReclaim};
  scenario.memory.size = scenario.memory.free = Bytes(2048 * kMiB);
  GroupSpec tenant;
  tenant.name = "tenant";
  tenant.memory_max = max;
  tenant.memory_high = high;
  scenario.groups = {tenant};
  ProcessSpec db{"db", true, {}, {{"heap", Bytes(32 * kMiB)}}, {}};
  db.group = 0;
  scenario.processes.push_back(db);
  return scenario;
}

void add(Scenario& scenario, ThreadSpec thread, std::size_t process = 0) {
  scenario.processes.at(process).threads.push_back(std::move(thread));
}

ThreadSpec faulter(Arrival arrival, std::optional<std::string> region = std::nullopt) {
  FaulterSpec spec;
  spec.region = std::move(region);
  spec.arrival = std::move(arrival);
  return {"faulter", 1, spec};
}

ThreadSpec locker(std::vector<ScriptStep> script) { return {"locker", 1, LockerSpec{"heap", std::move(script), 1}}; }

Result run(const Scenario& scenario) { return simulate(scenario, Policy{}, {}); }

const GroupMemory& group_of(const Result& result) { return result.memory.groups.at(0); }

std::int64_t allocated(const Result& result) { return static_cast<std::int64_t>(result.memory.allocated); }

constexpr std::int64_t kPages = 32 << 12;  // of which the first look, at DEF_PRIORITY, is 32

// Each 32 faults take what one reclaim has freed.
TEST(GroupAtItsLimit, ReclaimsExactlyWhatItsFaultsTake) {
  check_in_child([] {
    Scenario scenario = machine(Bytes(kPages * kPageSize));
    scenario.duration = 300ms;
    add(scenario, faulter(ClosedLoop{Constant{1us}}));
    const Result result = run(scenario);
    const GroupMemory& group = group_of(result);
    EXPECT_GT(allocated(result), kPages + 1000);
    EXPECT_EQ(static_cast<std::int64_t>(group.reclaimed) + group.at_end.count(),
              allocated(result) - result.memory.at_end.in_flight.count());
    EXPECT_EQ(group.peak, PageCount(kPages));
    EXPECT_LE(group.reclaimed - 32 * group.stalls.count(), 32U);
    EXPECT_EQ(group.stalls.min(), 32 * (kScan + kReclaim));
    EXPECT_EQ(group.stalls.max(), 32 * (kScan + kReclaim));
    EXPECT_EQ(group.max_events, static_cast<std::uint64_t>((allocated(result) - kPages + 31) / 32));
    EXPECT_LE(group.max_events - group.stalls.count(), 1U);    // one may be under way
    EXPECT_GT(result.memory.lowest_free, PageCount(300'000));  // the machine has plenty
  });
}

TEST(GroupBelowItsLimit, IsCountedAndCostsNothing) {
  for (const bool limited : {false, true}) {
    check_in_child([limited] {
      Scenario scenario = machine(limited ? std::optional(Bytes(512 * kMiB)) : std::nullopt);
      add(scenario, locker({{Call::mlock}, {Call::hold, 1ms}, {Call::munlock}, {Call::munmap}, {Call::hold, 1ms}}));
      const Result result = run(scenario);
      EXPECT_EQ(result.calls().at("mlock").duration.max(), 8192 * 1000ns);
      ASSERT_EQ(result.memory.groups.size(), limited ? 1U : 0U);
      if (!limited) return;
      EXPECT_EQ(group_of(result).peak, PageCount(8192));
      EXPECT_EQ(group_of(result).at_end, PageCount(0));
      EXPECT_EQ(group_of(result).stalls.count(), 0U);
    });
  }
}

// In the container: a faulter, which reclaims under mmap_sem, and a mapper, who waits for it. Outside: the same two,
// and one who reads /proc of the container's process, who waits behind the mapper.
Scenario container(std::optional<Bytes> high = std::nullopt) {
  Scenario scenario = machine(Bytes(kPages * kPageSize), high);
  scenario.duration = 400ms;
  // Page cache that is there from the start, so that it is at its limit at once.
  const Bytes cache = high.value_or(Bytes(kPages * kPageSize));
  scenario.processes.front().regions = {{"cache", cache, 1, RegionSpec::Kind::file}};
  scenario.processes.front().regions.front().pages = RegionSpec::Pages::cached;
  scenario.memory.free = Bytes(scenario.memory.size.count() - cache.count());
  add(scenario, faulter(ClosedLoop{Constant{10us}}));
  add(scenario, {"mapper", 1, MapperSpec{Bytes(kPageSize), ClosedLoop{Constant{100us}}}});
  ProcessSpec web{"web", true, {}, {}, {}};
  ThreadSpec outside = faulter(ClosedLoop{Constant{10us}});
  outside.name = "outside";
  web.threads.push_back(outside);
  web.threads.push_back({"web_mapper", 1, MapperSpec{Bytes(kPageSize), ClosedLoop{Constant{100us}}}});
  web.threads.push_back({"ps", 1, ProcReaderSpec{ProcReaderSpec::File::cmdline, "db", ClosedLoop{Constant{50us}}}});
  scenario.processes.push_back(web);
  return scenario;
}

TEST(ContainerAtItsLimit, HurtsThoseWhoShareItsLockAndNobodyElse) {
  check_in_child([] {
    const Result result = run(container());
    constexpr Nanoseconds kStall = 32 * (kScan + kReclaim);
    const auto longest = [&](const char* name) { return result.find_class(name)->total().latency().max(); };
    EXPECT_GE(longest("faulter"), kStall);
    EXPECT_GE(longest("mapper"), kStall / 2);
    EXPECT_GE(longest("ps"), kStall / 2);
    EXPECT_LE(longest("outside"), 500ns + 900ns);  // its own, and its own process's mapper
    EXPECT_LE(longest("web_mapper"), 600ns + 500ns);
    const auto waits = result.find_class("mapper")->total().blame().lock_waits;
    const auto& [lock, wait] =
        *std::max_element(waits.begin(), waits.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    EXPECT_EQ(lock.holder, 0);
    EXPECT_EQ(lock.phase, Phase::fault);
    EXPECT_EQ(lock.doing, Cause::direct_reclaim);
  });
}

// What is reclaimed on the way back to user mode is reclaimed with nothing held.
TEST(MemoryHigh, KeepsTheGroupFromItsLimitAndItsReclaimOutOfTheLock) {
  check_in_child([] {
    const Result result = run(container(Bytes((kPages - 4096) * kPageSize)));
    const auto longest = [&](const char* name) { return result.find_class(name)->total().latency().max(); };
    EXPECT_EQ(group_of(result).max_events, 0U);
    EXPECT_GT(group_of(result).high_events, 0U);
    EXPECT_GE(longest("faulter"), 32 * (kScan + kReclaim));  // it still pays for what it takes
    EXPECT_LE(longest("mapper"), 5us);
    EXPECT_LE(longest("ps"), 5us);
  });
}

TEST(MemoryHigh, WithNothingToReclaimTheTaskSleepsWithNothingHeld) {
  check_in_child([] {
    Scenario scenario = machine(std::nullopt, Bytes(4 * kMiB));
    scenario.duration = 5s;
    add(scenario, faulter(ClosedLoop{Constant{10us}}, "heap"));
    add(scenario, {"mapper", 1, MapperSpec{Bytes(kPageSize), ClosedLoop{Constant{1ms}}}});
    const Result result = run(scenario);
    EXPECT_GT(group_of(result).high_sleep, 2s);
    EXPECT_LE(group_of(result).at_end, PageCount(3 * 1024));
    EXPECT_GE(result.classes.at(0).total().latency().max(), 50ms);  // (overage)^2 seconds for each page
    EXPECT_GT(result.classes.at(0).total().blame().causes[static_cast<std::size_t>(Cause::reclaim_throttle)], 1s);
    EXPECT_LE(result.classes.at(1).total().latency().max(), 5us);
  });
}

// One call that takes more than a batch sleeps where it is: here with mmap_sem held, however mlock holds it.
TEST(MemoryHigh, APopulateThatGoesFarBeyondItSleepsUnderTheLock) {
  check_in_child([] {
    Scenario scenario = machine(std::nullopt, Bytes(24 * kMiB));
    add(scenario, locker({{Call::mlock}}));
    add(scenario, {"mapper", 1, MapperSpec{Bytes(kPageSize), ClosedLoop{Constant{1ms}}}});
    scenario.duration = 20s;
    const Result result = run(scenario);
    EXPECT_GT(group_of(result).high_sleep, 1s);
    EXPECT_GT(result.classes.at(1).longest(), 1s);
  });
}

TEST(GroupWithoutRoom, RunsOutOfMemoryWhereMlockTakesMoreThanItsLimit) {
  check_in_child([] {
    Scenario scenario = machine(Bytes(16 * kMiB));
    add(scenario, locker({{Call::mlock}}));
    const Result result = run(scenario);
    EXPECT_EQ(result.outcome, Outcome::out_of_memory);
    EXPECT_TRUE(group_of(result).out_of_memory);
    EXPECT_EQ(group_of(result).at_end, PageCount(4096));
    EXPECT_EQ(group_of(result).reclaimed, 0U);
    EXPECT_EQ(group_of(result).max_events, 18U);  // one, one after the stocks have been drained, and 16 retries
    EXPECT_GT(result.memory.at_end.free, PageCount(400'000));
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Accounts.

// All that is taken is the group's: what it is charged for is what is on lists, locked and on its way to the device.
TEST(GroupAccounts, AreThePagesThatItHas) {
  for (const bool stepwise : {false, true}) {
    for (const int kind : {0, 1, 2, 3}) {
      check_in_child([&] {
        Scenario scenario = machine(Bytes(8 * kMiB), kind == 3 ? std::optional(Bytes(6 * kMiB)) : std::nullopt);
        scenario.duration = 60ms;
        Costs& costs = scenario.machine.costs;
        costs.scan_page = Constant{100ns};
        costs.pageout = Constant{200ns};
        scenario.memory.device.write = Constant{Nanoseconds{20'000}};
        scenario.memory.device.read = Constant{Nanoseconds{20'000}};
        scenario.memory.device.queue_depth = 4;
        SwapSpec swap;
        swap.size = Bytes(256 * kMiB);
        if (kind == 1) swap.zram = ZramSpec{.compress = 1us, .decompress = 1us, .ratio = 3};
        scenario.memory.swap = swap;
        RegionSpec& heap = scenario.processes.front().regions.front();
        if (kind == 2) heap.folio_order = kPmdOrder;
        RegionSpec file{"file", Bytes(4 * kMiB), 1, RegionSpec::Kind::file};
        file.pages = RegionSpec::Pages::cached;
        scenario.processes.front().regions.push_back(file);
        scenario.memory.free = Bytes(scenario.memory.size.count() - file.size.count());
        add(scenario, faulter(ClosedLoop{Exponential{3us}}, "heap"));
        ThreadSpec reader = faulter(ClosedLoop{Exponential{10us}}, "file");
        reader.name = "reader";
        add(scenario, reader);
        ThreadSpec stream = faulter(ClosedLoop{Exponential{10us}});
        stream.name = "stream";
        add(scenario, stream);
        add(scenario, {"recycler", 1,
                       MadviserSpec{"heap", Advice::dontneed, Bytes(64 * kPageSize), ClosedLoop{Exponential{300us}}}});
        sim::Engine::Options options;
        options.stepwise = stepwise;
        const Result result = simulate(scenario, Policy{}, options);
        const GroupMemory& group = group_of(result);
        const ZoneCounts& pages = result.memory.at_end;
        const PageCount has = pages.evictable() + pages.unevictable + pages.writeback;
        EXPECT_EQ(result.outcome, Outcome::completed);
        EXPECT_GE(group.at_end, has);
        EXPECT_LE(group.at_end, has + pages.in_flight);
        EXPECT_LE(group.peak, PageCount(2048));
        EXPECT_GT(group.reclaimed + group.high_events, 0U);
        EXPECT_EQ(pages.total(), pages_of(scenario.memory.size));
      });
    }
  }
}

// The machine's own reclaim goes through the lists of all groups.
TEST(GroupAccounts, KswapdReclaimsFromGroupsAsWell) {
  check_in_child([] {
    Scenario scenario = machine(Bytes(1024 * kMiB));
    scenario.memory.size = scenario.memory.free = Bytes(64 * kMiB);
    scenario.duration = 100ms;
    scenario.machine.costs.scan_page = Constant{100ns};
    add(scenario, faulter(ClosedLoop{Constant{1us}}));
    const Result result = run(scenario);
    EXPECT_EQ(result.outcome, Outcome::completed);
    EXPECT_GT(allocated(result), 20'000);
    EXPECT_EQ(group_of(result).reclaimed, 0U);
    EXPECT_LT(group_of(result).at_end, PageCount(16'384));
    EXPECT_GT(result.memory.reclaim.kswapd_reclaimed, 0U);
  });
}

}  // namespace
}  // namespace models::memcontrol_test
