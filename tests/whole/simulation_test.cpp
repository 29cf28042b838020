// Whole runs, where the answer is known beforehand.
#include "models/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "experiments/base/quantity.h"
#include "experiments/compare/run_report.h"
#include "models/task.h"
#include "sim/random.h"
#include "tests/support/in_child.h"
#include "tests/support/random_rest.h"
#include "tests/support/random_scheduler.h"
#include "tests/support/result_text.h"
#include "tests/support/seeds.h"
#include "tests/support/small_machine.h"

namespace models::simulation_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Distribution;
using sim::Exponential;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::kMiB;
using Call = ScriptStep::Call;

Policy policy_of(HoldMode populate, HoldMode munlock, HoldMode munmap = HoldMode::write_held) {
  Policy policy;
  policy.name = "test";
  policy.populate.mode = populate;
  policy.munlock.mode = munlock;
  policy.munmap.mode = munmap;
  return policy;
}
Policy write_held() { return policy_of(HoldMode::write_held, HoldMode::write_held); }
Policy downgrade() { return policy_of(HoldMode::downgrade, HoldMode::write_held); }
Policy unlock_downgrade() { return policy_of(HoldMode::downgrade, HoldMode::downgrade); }

// Enough CPUs and memory for everybody; what has no cost here takes no time.
constexpr Nanoseconds kPage = 1300ns;  // populate: that it is mlocked adds nothing
constexpr Nanoseconds kFault = 500ns;

Scenario quiet_machine() {
  Scenario scenario;
  scenario.name = "test";
  scenario.machine.cpus = 16;
  scenario.machine.scheduler = {1ms, 0ns, 0ns};
  Costs& costs = scenario.machine.costs;
  costs.populate_page = Constant{kPage};
  costs.mlock_page = Constant{300ns};
  costs.munlock_page = Constant{400ns};
  costs.zap_page = Constant{100ns};
  costs.fault = Constant{kFault};
  costs.mmap = Constant{300ns};
  costs.munmap = Constant{300ns};
  costs.proc_cmdline = Constant{200ns};
  costs.proc_open = Constant{700ns};
  scenario.memory.size = Bytes(1024 * kMiB);
  scenario.memory.free = Bytes(1000 * kMiB);
  scenario.processes.push_back({"db", true, {}, {}, {}});
  return scenario;
}

// A field that a test does not name keeps its default.
FaulterSpec faulter(Arrival arrival) {
  FaulterSpec spec;
  spec.arrival = std::move(arrival);
  return spec;
}

void add(Scenario& scenario, ThreadSpec thread) { scenario.processes.front().threads.push_back(std::move(thread)); }

void add_locker(Scenario& scenario, std::int64_t pages, std::vector<ScriptStep> script, int repeat = 1) {
  scenario.processes.front().regions.push_back({"heap", Bytes(pages * kPageSize)});
  add(scenario, {"locker", 1, LockerSpec{"heap", std::move(script), repeat}});
}

const Samples& samples(const Result& result, std::size_t number, Phase phase) {
  return result.classes.at(number).during.at(phase);
}
Nanoseconds of(const Samples& samples, Cause cause) { return samples.blame().causes[static_cast<std::size_t>(cause)]; }
double sum(const sim::Histogram& histogram) { return histogram.mean() * static_cast<double>(histogram.count()); }

// ---------------------------------------------------------------------------------------------------------------
// Closed forms.

class SimulationTest : public testing::TestWithParam<bool> {
 protected:
  static Result simulate(const Scenario& scenario, const Policy& policy) {
    return models::simulate(scenario, policy, {GetParam(), {}});
  }
};
INSTANTIATE_TEST_SUITE_P(, SimulationTest, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

// The write hold is [10000, 10000 + 16 x 1300) = [10000, 30800). Faults are due every 1000 ns: 21 of them in it. The
// one due at age a = 1000 k waits for the rest, then for the k before it: (20800 - 1000 k) + 500 k, and is served in
// 500.
TEST_P(SimulationTest, AFaultDueAtAgeAOfAHoldWaitsForTheRestOfItAndForThoseBefore) {
  check_in_child([&] {
    Scenario scenario = quiet_machine();
    add_locker(scenario, 16, {{Call::hold, 10us}, {Call::mlock}, {Call::hold, 100us}});
    add(scenario, {"faulter", 1, faulter(OpenLoop{Constant{1000ns}})});
    const Result result = simulate(scenario, write_held());
    EXPECT_EQ(result.calls().at("mlock").duration.max(), 16 * kPage);
    const Samples& faults = samples(result, 1, Phase::mlock_populate);
    EXPECT_EQ(faults.latency().count(), 21U);
    EXPECT_EQ(faults.latency().max(), 20'800ns + kFault);
    EXPECT_EQ(faults.latency().min(), 20'800ns - 20 * 1000ns + 20 * 500ns + kFault);
    EXPECT_DOUBLE_EQ(sum(faults.latency()), 21 * (20'800 + 500) - 500 * 210);
    EXPECT_EQ(of(faults, Cause::lock_wait), 21 * 20'800ns - 210 * 1000ns);
    EXPECT_EQ(faults.blame().lock_waits,
              (std::map<LockBlame, Nanoseconds>{
                  {{0, Phase::mlock_populate, LockMode::write, -1}, 21 * 20'800ns - 210 * 1000ns}}));
  });
}

// The same with a price on everything: one fault due in the hold.
TEST_P(SimulationTest, OperationsAndWakeUpsAddToAWaitWhatTheyCost) {
  check_in_child([&] {
    constexpr Nanoseconds kOperation = 7ns;
    constexpr Nanoseconds kWake = 60ns;
    constexpr Nanoseconds kLatency = 90ns;
    Scenario scenario = quiet_machine();
    scenario.machine.scheduler.wake_up_latency = kLatency;
    scenario.machine.costs.rwsem_operation = kOperation;
    scenario.machine.costs.rwsem_wake = kWake;
    scenario.machine.costs.find_vma = 11ns;
    scenario.machine.costs.system_call = 130ns;
    scenario.machine.costs.lru_add_drain_all = 5ns;
    add_locker(scenario, 16, {{Call::hold, 10us}, {Call::mlock}, {Call::hold, 100us}});
    add(scenario, {"faulter", 1, faulter(OpenLoop{Constant{22us}})});
    const Result result = simulate(scenario, write_held());
    // Both threads begin when their CPU has woken up; the locker has one more wake-up, from its hold.
    const Nanoseconds taken = kLatency + 10us + kLatency + 130ns + kOperation;
    const Nanoseconds released = taken + 11ns + 2 * 16 * 5ns + 16 * kPage + kOperation;
    const Nanoseconds due = kLatency + 22us;
    const Nanoseconds queued = due + kLatency + kOperation;
    const Samples& faults = samples(result, 1, Phase::mlock_populate);
    ASSERT_EQ(faults.latency().count(), 1U);
    EXPECT_EQ(of(faults, Cause::lock_wait), released - queued);
    EXPECT_EQ(of(faults, Cause::wake_up), kLatency + kWake + kLatency);
    EXPECT_EQ(of(faults, Cause::cpu), kOperation + kFault + kOperation);
    EXPECT_EQ(faults.latency().max(), released + kWake + kLatency + kFault + kOperation - due);
    EXPECT_EQ(result.locks.at(0).statistics.hold.at({0, Phase::mlock, LockMode::write}).max(), released - taken);
  });
}

// Populate holds for read over [10000, 93200). A mapper queues at 15000, so the fault due at 20000 + 10000 k waits
// until the mapper, in after 93200, is done 300 ns later, and for the k before it.
TEST_P(SimulationTest, WithAWriterInTheQueueEveryLaterReaderWaitsUntilThatWriterIsDone) {
  check_in_child([&] {
    Scenario scenario = quiet_machine();
    add_locker(scenario, 64, {{Call::hold, 10us}, {Call::mlock}, {Call::hold, 10us}});
    add(scenario, {"faulter", 1, faulter(OpenLoop{Constant{10us}})});
    add(scenario, {"mapper", 1, MapperSpec{Bytes(kPageSize), ClosedLoop{Constant{15us}}}});
    const Result result = simulate(scenario, downgrade());
    const Samples& faults = samples(result, 1, Phase::mlock_populate);
    // Due at 10000, before the writer came; then at 20000, ..., 90000.
    EXPECT_EQ(faults.latency().count(), 9U);
    EXPECT_EQ(faults.latency().min(), kFault);
    EXPECT_EQ(faults.latency().max(), 93'200ns + 300ns - 20'000ns + kFault);
    EXPECT_DOUBLE_EQ(sum(faults.latency()), 500 + 8 * 74'000 - 9500 * 28);
    EXPECT_EQ(
        faults.blame().lock_waits,
        (std::map<LockBlame, Nanoseconds>{{{0, Phase::mlock_populate, LockMode::read, 2}, 8 * 73'200ns - 28 * 10'000ns},
                                          {{2, Phase::mmap, LockMode::write, -1}, 8 * 300ns}}));
    EXPECT_EQ(result.locks.at(0).statistics.convoys, 1U);
  });
}

TEST_P(SimulationTest, WithDowngradeAndNoWriterNoFaultWaitsForPopulate) {
  check_in_child([&] {
    Scenario scenario = quiet_machine();
    scenario.machine.costs.find_vma = 40ns;  // all of the VMA work, once before and once after
    add_locker(scenario, 1000, {{Call::hold, 10us}, {Call::mlock}, {Call::hold, 10us}});
    add(scenario, {"faulter", 6, faulter(OpenLoop{Exponential{20us}})});
    const Result result = simulate(scenario, downgrade());
    const Samples& faults = samples(result, 1, Phase::mlock_populate);
    EXPECT_GT(faults.latency().count(), 200U);
    EXPECT_GE(result.calls().at("mlock").duration.max(), 1000 * kPage);
    // At worst it meets the locker that waits for write mode behind a fault and then has its VMA work to do.
    for (const auto& [blame, wait] : faults.blame().lock_waits) EXPECT_LE(wait, 6 * (kFault + 40ns));
    EXPECT_LE(of(faults, Cause::lock_wait), 6 * (kFault + 40ns));
  });
}

TEST_P(SimulationTest, ProcReadersWaitForTheSemaphoreOfTheProcessTheyLookAt) {
  check_in_child([&] {
    Scenario scenario = quiet_machine();
    add_locker(scenario, 16, {{Call::hold, 10us}, {Call::mlock}, {Call::hold, 100us}});
    scenario.processes.push_back(
        {"ps",
         true,
         {},
         {},
         {{"ps", 1, ProcReaderSpec{ProcReaderSpec::File::cmdline, "db", OpenLoop{Constant{16us}}}}}});
    const Result result = simulate(scenario, write_held());
    // Due at 16000; asks after 700; waits until 30800; reads in 200.
    const Samples& reads = samples(result, 1, Phase::mlock_populate);
    EXPECT_EQ(reads.latency().max(), 30'800ns - 16'000ns + 200ns);
    EXPECT_EQ(of(reads, Cause::lock_wait), 30'800ns - 16'700ns);
    EXPECT_EQ(samples(result, 1, Phase::idle).latency().max(), 900ns);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// The question of the patch, in small.

Scenario unlock_question() {
  Scenario scenario = quiet_machine();
  scenario.machine.scheduler.wake_up_latency = 90ns;
  scenario.machine.costs.rwsem_operation = 7ns;
  scenario.machine.costs.rwsem_wake = 60ns;
  add_locker(scenario, 4000,
             {{Call::hold, 100us},
              {Call::mlock},
              {Call::hold, 100us},
              {Call::munlock},
              {Call::hold, 100us},
              {Call::mlock},
              {Call::hold, 100us},
              {Call::munmap}},
             2);
  add(scenario, {"faulter", 4, faulter(ClosedLoop{Exponential{20us}})});
  add(scenario, {"open_faulter", 1, faulter(OpenLoop{Exponential{20us}})});
  return scenario;
}

struct Longest {
  Nanoseconds fault;
  Nanoseconds call;
};
Longest longest_during(const Result& result, Phase call) {
  Nanoseconds fault{};
  for (const std::size_t number : {1U, 2U}) {
    fault = std::max(fault, result.classes.at(number).during_call(call).latency().max());
  }
  return {fault, result.calls().at(std::string(to_string(call))).duration.max()};
}
bool about(const Longest& longest) {
  return longest.fault > longest.call * 9 / 10 && longest.fault < longest.call * 11 / 10;
}
bool far_below(const Longest& longest) { return longest.fault < longest.call / 100; }

TEST(UnlockQuestion, UnderWriteHeldTheLongestFaultsTakeAboutAsLongAsTheCalls) {
  check_in_child([] {
    const Result result = simulate(unlock_question(), write_held(), {});
    EXPECT_TRUE(about(longest_during(result, Phase::mlock)));
    EXPECT_TRUE(about(longest_during(result, Phase::munlock)));
    EXPECT_TRUE(about(longest_during(result, Phase::munmap)));
  });
}

TEST(UnlockQuestion, UnderDowngradeOnlyMlockLetsFaultsIn) {
  check_in_child([] {
    const Result result = simulate(unlock_question(), downgrade(), {});
    EXPECT_TRUE(far_below(longest_during(result, Phase::mlock)));
    EXPECT_TRUE(about(longest_during(result, Phase::munlock)));
    EXPECT_TRUE(about(longest_during(result, Phase::munmap)));
  });
}

TEST(UnlockQuestion, UnderUnlockDowngradeMunlockLetsFaultsInToo) {
  check_in_child([] {
    const Result result = simulate(unlock_question(), unlock_downgrade(), {});
    EXPECT_TRUE(far_below(longest_during(result, Phase::mlock)));
    EXPECT_TRUE(far_below(longest_during(result, Phase::munlock)));
    EXPECT_TRUE(about(longest_during(result, Phase::munmap)));
  });
}

// Of 4000 pages the munlock (400 ns each) is still under write, the zap (100 ns each) no longer. The open-loop faulter
// needs some of the zap's time to catch up.
TEST(UnlockQuestion, MunmapDowngradedAsInLinux420LetsFaultsInDuringTheZap) {
  check_in_child([] {
    const Policy policy = policy_of(HoldMode::downgrade, HoldMode::write_held, HoldMode::downgrade);
    const Result result = simulate(unlock_question(), policy, {});
    const Samples& during_zap = samples(result, 1, Phase::munmap_zap);
    EXPECT_GT(during_zap.latency().count(), 100U);
    EXPECT_LT(during_zap.latency().max(), 2us);
    EXPECT_GT(samples(result, 1, Phase::munmap_munlock).latency().max(), 1400us);
    EXPECT_GT(samples(result, 2, Phase::munmap_munlock).latency().max(), 1400us);
    EXPECT_LT(samples(result, 2, Phase::munmap_zap).latency().max(), 100us);
  });
}

TEST(UnlockQuestion, WithAMapperDowngradeHelpsLittle) {
  check_in_child([] {
    Scenario scenario = unlock_question();
    add(scenario, {"mapper", 1, MapperSpec{Bytes(kPageSize), ClosedLoop{Constant{100us}}}});
    const Result result = simulate(scenario, downgrade(), {});
    const Longest longest = longest_during(result, Phase::mlock);
    EXPECT_GT(longest.fault, longest.call * 8 / 10);
    EXPECT_GT(result.locks.at(0).statistics.convoys, 0U);
    EXPECT_GT(result.locks.at(0).vma_changed, 0U);
    EXPECT_EQ(result.locks.at(0).eagain, 0U);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Queueing theory: one server, constant service, exponential arrivals. Mean wait rho s / (2 (1 - rho)).

double mean_latency(double rho, std::uint64_t seed) {
  constexpr Nanoseconds kService = 8us;
  const std::string mean = tests::in_child([&] {
    Scenario scenario = quiet_machine();
    scenario.machine.costs.fault = Constant{kService};
    scenario.seed = seed;
    scenario.duration = 300ms;
    scenario.memory.size = scenario.memory.free = Bytes(4096 * kMiB);
    add(scenario,
        {"faulter", 1,
         faulter(OpenLoop{Exponential{Nanoseconds{std::llround(static_cast<double>(kService.count()) / rho)}}})});
    const Result result = simulate(scenario, write_held(), {});
    std::ostringstream text;
    text.precision(17);
    text << samples(result, 0, Phase::idle).latency().mean();
    return text.str();
  });
  return std::stod(mean);
}

class OpenLoopFaulter : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(, OpenLoopFaulter, testing::Values(30, 50, 80),
                         [](const auto& each) { return "AtUtilisation" + std::to_string(each.param) + "Percent"; });

TEST_P(OpenLoopFaulter, WaitsAsInAnMD1Queue) {
  constexpr int kRuns = 12;
  const double rho = GetParam() / 100.0;
  std::vector<double> means;
  for (std::uint64_t seed = 1; seed <= kRuns; ++seed) means.push_back(mean_latency(rho, seed));
  double mean = 0;
  for (const double each : means) mean += each / kRuns;
  double variance = 0;
  for (const double each : means) variance += (each - mean) * (each - mean) / (kRuns - 1);
  const double expected = 8000 + rho * 8000 / (2 * (1 - rho));
  // 99 % confidence: Student's t with 11 degrees of freedom.
  EXPECT_NEAR(mean, expected, 3.106 * std::sqrt(variance / kRuns));
  EXPECT_NEAR(mean, expected, 0.05 * expected);
}

// ---------------------------------------------------------------------------------------------------------------
// Whole runs compared.

std::string run(const Scenario& scenario, const Policy& policy, bool stepwise = false) {
  return tests::in_child([&] { return tests::packed(simulate(scenario, policy, {stepwise, {}}), stepwise); });
}

Distribution random_cost(sim::Stream& chance, std::int64_t scale) {
  const Nanoseconds length{1 + static_cast<std::int64_t>(chance() % static_cast<std::uint64_t>(scale))};
  switch (chance() % 5) {
    case 0:
      return Constant{length};
    case 1:
      return sim::Uniform{0ns, length};
    case 2:
      return Exponential{length};
    case 3:
      return sim::Lognormal{length, 5 * length};
    default:
      return sim::Empirical{{length, length / 2, 3 * length}};
  }
}

// Interruptions take up to 60 % of each CPU.
NoiseSpec random_noise(sim::Stream& chance) {
  using By = Interruption::By;
  NoiseSpec noise;
  for (const By by : {By::interrupt, By::hypervisor, By::task}) {
    if (chance() % 3 == 0) continue;
    const Nanoseconds every{5'000 + tests::up_to(chance, 60'000)};
    const Nanoseconds length{1 + tests::up_to(chance, every.count() / 5)};
    noise.interruptions.push_back({by, chance() % 2 == 0 ? Distribution(Constant{every}) : sim::Exponential{every},
                                   chance() % 2 == 0 ? Distribution(Constant{length}) : sim::Uniform{0ns, length}});
  }
  if (chance() % 2 == 0) noise.wake_up = random_cost(chance, 2'000);
  if (chance() % 2 == 0) noise.timer = random_cost(chance, 2'000);
  if (chance() % 2 == 0) noise.page_costs = {700, 1000, 1333, 2100};
  if (chance() % 2 == 0) noise.grace_periods = random_cost(chance, 20'000);
  const auto idle_state = [&](std::int64_t after) {
    models::IdleState state{.after = random_cost(chance, after),
                            .wake_up = {},
                            .calls = random_cost(chance, 3'000),
                            .faults = random_cost(chance, 2'000),
                            .files = random_cost(chance, 5'000)};
    if (chance() % 2 == 0) state.wake_up = random_cost(chance, 5'000);
    return state;
  };
  for (std::int64_t after = 1'000; chance() % 3 != 0 && after < 1'000'000; after *= 10) {
    noise.idle_states.push_back(idle_state(after));
  }
  return noise;
}

struct RandomScenario {
  Scenario scenario;
  Policy policy;
};

// Who works on pieces of the region, and one beside it.
void add_region_callers(sim::Stream& chance, ProcessSpec& db) {
  const auto up_to = [&](std::int64_t most) {
    return static_cast<std::int64_t>(chance() % static_cast<std::uint64_t>(most + 1));
  };
  const auto pages = [](std::int64_t count) { return Bytes(count * kPageSize); };
  const auto rare = [&] { return ClosedLoop{Exponential{Nanoseconds{100'000 + up_to(900'000)}}}; };
  const auto visits = [&](Visits::Place usual) {
    if (chance() % 3 != 0) return Visits{.place = usual, .share_each = chance() % 2 == 0};
    return Visits{.once = chance() % 2 == 0, .share_each = chance() % 2 == 0};
  };
  RegionSpec& heap = db.regions.front();
  using Order = RegionSpec::FolioOrder;
  heap.folio_order = std::array{Order{0}, Order{4}, Order{kPmdOrder}, Order{}}[chance() % 4];
  RegionSpec near{"near", pages(1 + up_to(600))};
  near.beside = heap.name;
  if (chance() % 2 == 0) {
    heap.pages = near.pages = RegionSpec::Pages::resident;
    heap.locked = chance() % 2 == 0;
    near.joins_anon_vma = chance() % 2 == 0;
  }
  db.regions.push_back(near);
  if (chance() % 2 == 0) db.threads.push_back({"near_faulter", 1, FaulterSpec{"near", rare()}});
  ScriptStep part{Call::munlock, 0ns, pages(1 + up_to(300))};
  part.at = pages(up_to(19));
  db.threads.push_back({"pieces", 1,
                        LockerSpec{chance() % 2 == 0 ? "heap" : "near",
                                   {{Call::mlock_onfault, Nanoseconds{up_to(20'000)}, pages(1 + up_to(700))},
                                    {Call::brk, {}, pages(40)},
                                    {Call::mlock, 0ns, pages(1 + up_to(700))},
                                    part,
                                    {Call::brk_shrink, {}, pages(1 + up_to(50))},
                                    {Call::mlockall_onfault},
                                    {Call::hold, Nanoseconds{up_to(100'000)}},
                                    {Call::munlock, Nanoseconds{up_to(20'000)}, pages(1 + up_to(700))},
                                    {Call::munmap, 0ns, pages(1 + up_to(700))}},
                                   1}});
  if (chance() % 2 == 0) {
    const Advice advice = std::array{Advice::dontneed, Advice::free, Advice::cold, Advice::pageout}[chance() % 4];
    db.threads.push_back({"madviser", 1 + static_cast<int>(up_to(2)),
                          MadviserSpec{"heap", advice, pages(1 + up_to(4)), rare(), visits(Visits::Place::in_turn)}});
  }
  if (chance() % 2 == 0) {
    db.threads.push_back({"protector", 1 + static_cast<int>(up_to(2)),
                          ProtectorSpec{"heap", pages(1 + up_to(4)), rare(), visits(Visits::Place::start)}});
  }
  if (chance() % 2 == 0) {
    MapperSpec spec{pages(1 + up_to(4)), rare(), "heap"};
    spec.visits = visits(Visits::Place::random);
    db.threads.push_back({"region_mapper", 1 + static_cast<int>(up_to(1)), spec});
  }
  if (chance() % 2 == 0) {
    MoverSpec spec;
    spec.region = "near";
    spec.size = pages(1 + up_to(near.size.count() / kPageSize - 1));
    spec.aligned = chance() % 2 == 0;
    spec.arrival = rare();
    db.threads.push_back({"mover", 1, spec});
  }
  if (chance() % 2 == 0) {
    PinnerSpec spec;
    spec.region = "heap";
    spec.size = pages(1 + up_to(19));
    spec.by = std::array{PinnerSpec::By::rdma, PinnerSpec::By::io_uring, PinnerSpec::By::vfio}[chance() % 3];
    spec.unpin = chance() % 2 == 0;
    spec.arrival = rare();
    db.threads.push_back({"pinner", 1, spec});
  }
}

// A file that is written and shared memory, with a stream of their own, so that the rest stays as it was without them.
void add_files(sim::Stream& chance, RandomScenario& random) {
  const auto rare = [&] { return ClosedLoop{Exponential{Nanoseconds{50'000 + tests::up_to(chance, 500'000)}}}; };
  const auto size = [&] { return Bytes((1 + tests::up_to(chance, 600)) * kPageSize); };
  Scenario& scenario = random.scenario;
  Costs& costs = scenario.machine.costs;
  for (Nanoseconds* cost : {&costs.page_mkwrite, &costs.writeback_page, &costs.shmem_page, &costs.remove_page}) {
    *cost = Nanoseconds{tests::up_to(chance, 1) * tests::up_to(chance, 500)};
  }
  scenario.memory.device.stable_pages = chance() % 2 == 0;
  scenario.memory.device.queue_depth = 1 + static_cast<int>(tests::up_to(chance, 7));
  scenario.memory.dirty_writeback = Nanoseconds{tests::up_to(chance, 400'000)};
  scenario.memory.dirty_expire = Nanoseconds{tests::up_to(chance, 400'000)};
  if (scenario.memory.dirty_writeback < 20us) scenario.memory.dirty_writeback = 0ns;
  RegionSpec file{"file", size(), 1, RegionSpec::Kind::file};
  file.written = true;
  file.pages = chance() % 2 == 0 ? RegionSpec::Pages::cached : RegionSpec::Pages::resident;
  RegionSpec shm{"shm", size(), 1, RegionSpec::Kind::shmem};
  if (chance() % 2 == 0) shm.pages = RegionSpec::Pages::resident;
  ProcessSpec process{"files", true, {}, {file, shm}, {}};
  process.threads.push_back({"writer", 1 + static_cast<int>(tests::up_to(chance, 2)), FaulterSpec{"file", rare()}});
  process.threads.push_back({"toucher", 1, FaulterSpec{"shm", rare()}});
  process.threads.push_back({"msync", 1, MsyncSpec{"file", file.size, rare()}});
  const Advice advice = std::array{Advice::remove, Advice::dontneed, Advice::populate_write}[chance() % 3];
  process.threads.push_back({"shm_madviser", 1, MadviserSpec{"shm", advice, Bytes(kPageSize), rare()}});
  process.threads.push_back(
      {"file_populator", 1, MadviserSpec{"file", Advice::populate_write, Bytes(kPageSize), rare()}});
  if (chance() % 2 == 0) process.threads.push_back({"file_forker", 1, ForkerSpec{ClosedLoop{Constant{300us}}}});
  const Call move = chance() % 2 == 0 ? Call::mremap : Call::mremap_aligned;
  process.threads.push_back(
      {"shm_locker", 1, LockerSpec{"shm", {{Call::mlock}, {move}, {Call::munlock}, {move}, {Call::munmap}}, 2}});
  process.threads.push_back(
      {"file_locker", 1, LockerSpec{"file", {{Call::mlock}, {Call::msync, 0ns, size()}, {Call::munlock}}, 2}});
  scenario.processes.push_back(process);
  if (chance() % 2 == 0) random.policy.vma_lock_covers = VmaLockCovers::anonymous;
  random.policy.retry_on_io = chance() % 2 == 0;
}

void add_holder(sim::Stream& chance, Scenario& scenario) {
  HolderSpec holder;
  holder.target = chance() % 2 == 0 ? "db" : "";
  holder.mode = chance() % 2 == 0 ? HolderSpec::Mode::read : HolderSpec::Mode::write;
  holder.yields =
      std::array{HolderSpec::Yields::never, HolderSpec::Yields::cpu, HolderSpec::Yields::lock}[chance() % 3];
  holder.hold = random_cost(chance, 200'000);
  holder.arrival = OpenLoop{Exponential{Nanoseconds{100'000 + tests::up_to(chance, 500'000)}}};
  scenario.processes.back().threads.push_back({"holder", 1 + static_cast<int>(tests::up_to(chance, 1)), holder});
}

// khugepaged and NUMA balancing, where pages are many enough for them and where they are not.
void add_kernel_threads(sim::Stream& chance, Scenario& scenario) {
  const auto often = [&] { return ClosedLoop{Exponential{Nanoseconds{50'000 + tests::up_to(chance, 300'000)}}}; };
  KhugepagedSpec khugepaged{"db", PageCount(1 + tests::up_to(chance, 3'000)), PageCount(tests::up_to(chance, 511)),
                            often()};
  scenario.processes.back().threads.push_back({"khugepaged", 1, khugepaged});
  scenario.processes.back().threads.back().sched.nice = 19;
  NumaBalancingSpec balancing{"db", Bytes(kPageSize * (1 + tests::up_to(chance, 3'000))), often()};
  scenario.processes.back().threads.push_back({"numa_balancing", 1, balancing});
}

// Who works on the memory of "db" from outside, or decides when its pages are there.
void add_outsiders(sim::Stream& chance, Scenario& scenario) {
  const auto often = [&] { return ClosedLoop{Exponential{Nanoseconds{50'000 + tests::up_to(chance, 300'000)}}}; };
  const auto some_pages = [&] { return Bytes(kPageSize * (1 + tests::up_to(chance, 19))); };
  ProcessSpec& others = scenario.processes.back();
  others.threads.push_back(
      {"ksm", 1, KsmSpec{"db", PageCount(1 + tests::up_to(chance, 300)), random_cost(chance, 3'000), often()}});
  constexpr std::array kAdvice{Advice::cold, Advice::pageout, Advice::collapse};
  const Advice advice = kAdvice[chance() % kAdvice.size()];
  others.threads.push_back({"outside", 1, MadviserSpec{"heap", advice, some_pages(), often(), {}, "db"}});
  NumaBalancingSpec balancing{"db", Bytes(kPageSize * (1 + tests::up_to(chance, 3'000))), often()};
  balancing.hinting_faults = true;
  others.threads.push_back({"hinting", 1, balancing});
  ProcessSpec& db = scenario.processes.front();
  FaulterSpec toucher{"heap", ClosedLoop{Exponential{Nanoseconds{1'000 + tests::up_to(chance, 20'000)}}}};
  toucher.touch = true;
  db.threads.push_back({"toucher", 1 + static_cast<int>(tests::up_to(chance, 2)), toucher});
  if (chance() % 3 == 0) return;
  UserfaultSpec monitor{.region = "heap", .size = some_pages(), .fetch = random_cost(chance, 20'000)};
  if (chance() % 2 == 0) monitor.push = Exponential{Nanoseconds{1'000 + tests::up_to(chance, 50'000)}};
  if (chance() % 2 == 0) {
    db.regions.push_back({"from_space", Bytes(kPageSize * (1 + tests::up_to(chance, 500)))});
    db.regions.back().pages = RegionSpec::Pages::resident;
    monitor.move_from = "from_space";
  }
  db.threads.push_back({"monitor", 1 + static_cast<int>(tests::up_to(chance, 2)), monitor});
}

RandomScenario random_scenario(std::uint64_t seed) {
  sim::Stream chance(seed, "test", "scenario");
  const auto up_to = [&](std::int64_t most) {
    return static_cast<std::int64_t>(chance() % static_cast<std::uint64_t>(most + 1));
  };
  const auto mode = [&] { return chance() % 2 == 0 ? HoldMode::write_held : HoldMode::downgrade; };
  const auto arrival = [&](std::int64_t scale) {
    const Distribution length = random_cost(chance, scale);
    return chance() % 2 == 0 ? Arrival(ClosedLoop{length}) : Arrival(OpenLoop{length});
  };
  Scenario scenario;
  scenario.name = "random";
  scenario.seed = seed;
  scenario.machine.cpus = 1 + static_cast<int>(up_to(5));
  scenario.machine.llc_cpus = static_cast<int>(up_to(3));
  const Nanoseconds unit{1000 + up_to(50'000)};
  scenario.machine.scheduler = tests::random_scheduler(chance, unit);
  scenario.groups = tests::random_groups(chance, unit);
  Costs& costs = scenario.machine.costs;
  costs.rwsem_operation = Nanoseconds{up_to(1) * up_to(30)};
  costs.rwsem_wake = Nanoseconds{up_to(1) * up_to(900)};
  costs.system_call = Nanoseconds{up_to(300)};
  costs.find_vma = Nanoseconds{up_to(100)};
  costs.vma_split = Nanoseconds{up_to(300)};
  costs.vma_merge = Nanoseconds{up_to(300)};
  costs.lru_add_drain_all = Nanoseconds{up_to(500)};
  for (Distribution* cost : {&costs.mmap, &costs.munmap, &costs.populate_page, &costs.mlock_page, &costs.munlock_page,
                             &costs.zap_page, &costs.fault, &costs.proc_cmdline, &costs.proc_open}) {
    *cost = random_cost(chance, 900);
  }
  costs.remap_page = Nanoseconds{up_to(200)};
  for (sim::Nanoseconds* cost : {&costs.gup_huge, &costs.split_huge, &costs.proc_smaps_huge, &costs.batched_pte,
                                 &costs.tlb_flush_cpu, &costs.cache_line, &costs.lruvec_lock}) {
    *cost = Nanoseconds{up_to(1) * up_to(300)};
  }
  for (sim::Distribution* cost : {&costs.populate_huge, &costs.mlock_huge, &costs.munlock_huge, &costs.zap_huge}) {
    *cost = random_cost(chance, 9'000);
  }
  costs.gup_present = Nanoseconds{up_to(100)};
  costs.proc_smaps_page = Nanoseconds{up_to(20)};
  costs.zone_lock = Nanoseconds{up_to(1) * up_to(2000)};
  // Costs that grow with CPUs, pages and VMAs draw from a stream of their own: the rest stays as it was.
  sim::Stream grows(seed, "test", "costs that grow");
  for (Nanoseconds* cost :
       {&costs.cache_line, &costs.tlb_flush_cpu, &costs.munmap_vma, &costs.mlock_vma, &costs.munlock_vma,
        &costs.mprotect_page, &costs.dontneed_page, &costs.cow_page, &costs.fork_process, &costs.fork_vma,
        &costs.fork_page, &costs.lruvec_lock, &costs.mmu_gather, &costs.proc_seq_file}) {
    *cost = Nanoseconds{tests::up_to(grows, 1) * tests::up_to(grows, 200)};
  }
  if (grows() % 2 == 0) scenario.machine.clear_bandwidth = Bytes((1 + tests::up_to(grows, 20)) * 1024 * kMiB);
  costs.scan_page = random_cost(chance, 300);
  costs.reclaim_page = random_cost(chance, 300);
  costs.pageout = random_cost(chance, 300);
  // Sometimes ample, sometimes down to the min watermark.
  MemorySpec& memory = scenario.memory;
  memory.size = Bytes(128 * kMiB);
  memory.min_free = Bytes(4 * kMiB);
  memory.free = Bytes(chance() % 2 == 0 ? 100 * kMiB : 4 * kMiB);
  memory.dirty = chance() % 2 == 0 ? 0.0 : 0.3;
  memory.background = Bytes(chance() % 2 == 0 ? 0 : 2000 * kMiB);
  memory.device.write = random_cost(chance, 30'000);
  ProcessSpec db{"db", true, {}, {{"heap", Bytes((20 + up_to(1500)) * kPageSize)}}, {}};
  std::vector<ScriptStep> script;
  for (std::int64_t step = 0; step < 8; ++step) {
    constexpr std::array kCalls{Call::mlock, Call::munlock, Call::munmap, Call::mlock, Call::munlock};
    script.push_back({kCalls[static_cast<std::size_t>(up_to(4))]});
    script.push_back({Call::hold, Nanoseconds{up_to(50'000)}});
  }
  db.threads.push_back({"locker", 1 + static_cast<int>(up_to(1)), LockerSpec{"heap", script, 2}});
  db.threads.push_back({"faulter", 1 + static_cast<int>(up_to(3)), faulter(arrival(10'000))});
  FaulterSpec in_heap = faulter(arrival(10'000));
  in_heap.region = "heap";
  db.threads.push_back({"heap_faulter", 1, in_heap});
  if (grows() % 2 == 0) {
    ForkerSpec forker{ClosedLoop{random_cost(grows, 300'000)}};
    forker.vfork = grows() % 4 == 0;
    if (!forker.vfork && grows() % 2 == 0) forker.child = random_cost(grows, 1'000'000);
    db.threads.push_back({"forker", 1, forker});
  }
  if (grows() % 2 == 0) {
    const Bytes most(std::min<std::int64_t>(db.regions.front().size.count(), 300 * kPageSize));
    db.threads.push_back({"protector", 1, ProtectorSpec{"heap", most, ClosedLoop{random_cost(grows, 300'000)}}});
    db.threads.push_back({"populator", 1 + static_cast<int>(tests::up_to(grows, 2)),
                          MadviserSpec{"heap", Advice::populate_write, most, ClosedLoop{random_cost(grows, 300'000)}}});
  }
  db.threads.push_back({"mapper", 1, MapperSpec{Bytes((1 + up_to(20)) * kPageSize), arrival(50'000)}});
  add_region_callers(chance, db);
  scenario.processes.push_back(db);
  scenario.processes.push_back(
      {"ps", true, {}, {}, {{"ps", 1, ProcReaderSpec{ProcReaderSpec::File::cmdline, "db", arrival(40'000)}}}});
  using File = ProcReaderSpec::File;
  scenario.processes.back().threads.push_back(
      {"walker", 1, ProcReaderSpec{chance() % 2 == 0 ? File::clear_refs : File::pagemap, "db", arrival(400'000)}});
  if (chance() % 3 == 0) {
    BusySpec busy{Constant{Nanoseconds{1 + up_to(50'000)}}, {}};
    if (chance() % 2 == 0) busy.sleep = Constant{Nanoseconds{up_to(50'000)}};
    scenario.processes.back().threads.push_back({"busy", 2, busy});
  }
  for (ProcessSpec& process : scenario.processes) {
    for (ThreadSpec& thread : process.threads) {
      thread.sched = tests::random_thread(chance, scenario.machine.cpus, scenario.groups);
    }
  }
  if (chance() % 4 == 0) scenario.duration = Nanoseconds{1 + up_to(3'000'000)};
  sim::Stream user_space(seed, "test", "user space");
  scenario.warm_up = user_space() % 4 != 0;
  for (ProcessSpec& process : scenario.processes) {
    for (ThreadSpec& thread : process.threads) {
      const auto choice = user_space() % 12;
      if (choice < 2 && !std::holds_alternative<BusySpec>(thread.run)) thread.mutex = choice == 0 ? "heap" : "files";
    }
  }
  sim::Stream noise(seed, "test", "noise");
  RandomScenario random{scenario, policy_of(mode(), mode(), mode())};
  random.policy.proc.clear_refs_writes = chance() % 2 == 0;
  random.policy.mremap_moves_tables = chance() % 2 == 0;
  if (chance() % 3 == 0) random.policy.fault = FaultLock::per_vma;
  random.policy.rwsem = std::array{RwsemFlavour::fifo, RwsemFlavour::writer_steal, RwsemFlavour::writer_spin,
                                   RwsemFlavour::reader_spin, RwsemFlavour::spin_handoff}[chance() % 5];
  if (tests::up_to(noise, 1) == 0) random.scenario.machine.noise = random_noise(noise);
  sim::Stream files(seed, "test", "files");
  if (files() % 2 == 0) add_files(files, random);
  sim::Stream holders(seed, "test", "holders");
  if (holders() % 2 == 0) add_holder(holders, random.scenario);
  sim::Stream kernel_threads(seed, "test", "kernel threads");
  if (kernel_threads() % 2 == 0) add_kernel_threads(kernel_threads, random.scenario);
  sim::Stream outsiders(seed, "test", "outsiders");
  if (outsiders() % 2 == 0) add_outsiders(outsiders, random.scenario);
  sim::Stream rest(seed, "test", "rest");
  if (rest() % 4 == 0) tests::RandomRest(rest).draw(random.scenario, random.policy);
  return random;
}

// One field is the number of events: a run may end while somebody runs ahead, and what then lies beyond its end does
// not count.
TEST(Simulations, StepwiseAndDefaultRunsEndWithTheSameResultInEveryField) {
  bool preempted = false;
  bool reclaimed = false;
  bool interrupted = false;
  for (const std::uint64_t seed : tests::seeds(12)) {
    const auto [scenario, policy] = random_scenario(seed);
    interrupted = interrupted || scenario.machine.noise.interruptions.size() == 3;
    const std::string by_default = run(scenario, policy, false);
    ASSERT_EQ(tests::difference(by_default, run(scenario, policy, true)), "") << "seed " << seed;
    const Result result = tests::unpacked(by_default);
    preempted = preempted || result.preemptions > 0;
    reclaimed = reclaimed || result.memory.reclaim.direct_reclaimed > 0;
  }
  if (!tests::seeds_are_usual()) return;
  EXPECT_TRUE(preempted);
  EXPECT_TRUE(reclaimed);
  EXPECT_TRUE(interrupted);
}

// Under read mode faults change the page table that a walk looks at: what it sees there must be of its own time,
// however far it could run ahead.
TEST(Simulations, WalksUnderReadModeSeeTheFaultsOfOthersAlikeStepwiseAndByDefault) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Scenario scenario = quiet_machine();
    scenario.seed = seed;
    scenario.machine.costs.lru_add_drain_all = 1000ns;
    add_locker(scenario, 600,
               {{Call::hold, 10us}, {Call::mlock}, {Call::munmap}, {Call::hold, 10us}, {Call::mlock}, {Call::munlock}},
               2);
    FaulterSpec in_heap = faulter(ClosedLoop{Exponential{700ns}});
    in_heap.region = "heap";
    add(scenario, {"faulter", 4, in_heap});
    const Policy policy = policy_of(HoldMode::downgrade, HoldMode::downgrade, HoldMode::downgrade);
    EXPECT_EQ(tests::difference(run(scenario, policy, false), run(scenario, policy, true)), "") << "seed " << seed;
  }
}

// One group is out of memory while the locker, to whom that is nothing, is amid its populating: what he has not come to
// by then does not count.
TEST(Simulations, AGroupOutOfMemoryEndsTheRunAlikeStepwiseAndByDefault) {
  for (const std::int64_t most : {3, 7, 20}) {
    Scenario scenario = quiet_machine();
    add_locker(scenario, 600, {{Call::mlock}});
    scenario.groups.emplace_back().memory_max = Bytes(most * kPageSize);
    ProcessSpec tenant{"tenant", true, {}, {{"own", Bytes(100 * kPageSize)}}, {}, 0};
    FaulterSpec in_own = faulter(ClosedLoop{Exponential{700ns}});
    in_own.region = "own";
    tenant.threads.push_back({"faulter", 1, in_own});
    scenario.processes.push_back(tenant);
    const std::string by_default = run(scenario, downgrade(), false);
    EXPECT_EQ(tests::unpacked(by_default).outcome, Outcome::out_of_memory);
    EXPECT_EQ(tests::difference(by_default, run(scenario, downgrade(), true)), "") << most;
  }
}

Nanoseconds sum_of(const TimeByCause& time) { return std::accumulate(time.begin(), time.end(), Nanoseconds{0}); }

// All its time is charged to something, all its waits for locks to somebody, and the locks themselves have counted
// them.
TEST(Simulations, TheTimeOfEverybodyAddsUp) {
  for (const std::uint64_t seed : tests::seeds(30)) {
    check_in_child([&] {
      const auto [scenario, policy] = random_scenario(seed);
      const Result result = simulate(scenario, policy, {});
      std::vector<Nanoseconds> counted(result.classes.size());
      for (const LockResult& lock : result.locks) {
        for (const auto& [asker, waits] : lock.statistics.asked) {
          if (asker.asker >= 0) counted[static_cast<std::size_t>(asker.asker)] += waits.lock_wait;
        }
      }
      std::size_t index = 0;
      for (const ProcessSpec& process : scenario.processes) {
        for (const ThreadSpec& thread : process.threads) {
          const ClassResult& each = result.classes.at(index);
          EXPECT_EQ(sum_of(each.time), thread.count * result.sim_time) << thread.name;
          Nanoseconds blamed{};
          Nanoseconds of_vmas{};
          for (const auto& [blame, wait] : each.lock_waits) {
            blamed += wait;
            if (blame.lock == LockKind::vma) of_vmas += wait;
          }
          EXPECT_EQ(blamed, each.time[static_cast<std::size_t>(Cause::lock_wait)]) << thread.name;
          EXPECT_EQ(blamed, counted[index] + of_vmas) << thread.name;
          EXPECT_LE(each.spin, each.time[static_cast<std::size_t>(Cause::lock_wait)]) << thread.name;
          ++index;
        }
      }
    });
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

// Waits as somebody sees them who looks on, whatever the statistics say: from the first moment that a task waits for a
// lock until it has it.
class Onlooker {
 public:
  Observer observer() {
    Observer watches;
    watches.cause = [this](const Task& task, Cause cause, sim::Time at) {
      if (cause == Cause::lock_wait) asked_.try_emplace(&task, Asked{task.class_id(), at});
    };
    watches.lock = [this](const Task& task, LockOperation operation, const Rwsem&) {
      if (operation != LockOperation::down_read && operation != LockOperation::down_write) return;
      if (const auto asked = asked_.extract(&task)) note(task.class_id(), task.now() - asked.mapped().at);
    };
    return watches;
  }
  // By class. `end`: of the run.
  std::map<ClassId, Nanoseconds> longest(sim::Time end) {
    for (const auto& [task, asked] : asked_) note(asked.id, end - asked.at);
    return longest_;
  }

 private:
  struct Asked {
    ClassId id;
    sim::Time at;
  };

  void note(ClassId id, Nanoseconds wait) {
    Nanoseconds& longest = longest_[id];
    longest = std::max(longest, wait);
  }

  std::map<const Task*, Asked> asked_;  // who is no more when the run has ended
  std::map<ClassId, Nanoseconds> longest_;
};

Nanoseconds longest_wait_for_mmap_lock(const Result& result, ClassId id) {
  Nanoseconds longest{};
  for (const LockResult& lock : result.locks) {
    if (!lock.mutex.empty()) continue;
    for (const auto& [asker, waits] : lock.statistics.asked) {
      if (asker.asker == id) longest = std::max(longest, waits.longest());
    }
  }
  return longest;
}

// Whoever waited for a millisecond and a hundred times what its class usually takes: the text names the class and how
// long it was, in the warm-up, at the end, or with one request of thousands.
TEST(Simulations, NoStallGoesUnseen) {
  int stalls = 0;
  for (const std::uint64_t seed : tests::seeds(12)) {
    const std::string found = tests::in_child([&] {
      auto [scenario, policy] = random_scenario(seed);
      policy.fault = FaultLock::mmap_sem;  // the lock of a VMA tells nobody that it is had
      scenario.policies = {policy};
      for (Distribution* cost : {&scenario.machine.costs.munlock_page, &scenario.machine.costs.zap_page}) {
        *cost = Constant{5us};
      }
      Onlooker onlooker;
      const Result result = simulate(scenario, policy, {}, onlooker.observer());
      const std::string text = experiments::run_report(scenario, result);
      int seen = 0;
      for (const auto& [id, wait] : onlooker.longest(sim::Time{result.sim_time})) {
        if (id < 0) continue;
        const ClassResult& each = result.classes.at(static_cast<std::size_t>(id));
        const sim::Histogram latency = each.total().latency();
        if (wait <= 1ms || (!latency.empty() && wait <= 100 * latency.value_at(0.5))) continue;
        EXPECT_NE(text.find(each.name), std::string::npos) << each.name;
        // It sees who is let in, which one that sleeps is told, and counts, when it runs.
        const Nanoseconds counted = longest_wait_for_mmap_lock(result, id);
        const auto told = [&](Nanoseconds as) { return text.find(experiments::human(as)) != std::string::npos; };
        EXPECT_TRUE(told(wait) || (counted >= wait && told(counted))) << each.name << " " << wait.count() << text;
        ++seen;
      }
      return std::to_string(seen);
    });
    ASSERT_EQ(found.find("child failed"), std::string::npos) << "seed " << seed << "\n" << found;
    stalls += std::stoi(found);
  }
  EXPECT_TRUE(stalls > 5 || !tests::seeds_are_usual());
}

TEST(Simulations, TheSameSeedGivesTheSameResultAndAnotherSeedAnother) {
  Scenario scenario = unlock_question();
  const std::string first = run(scenario, downgrade());
  EXPECT_EQ(tests::difference(first, run(scenario, downgrade())), "");
  scenario.seed = 2;
  EXPECT_NE(tests::difference(first, run(scenario, downgrade())), "");
}

// What is due, served or not, does not depend on the policy.
TEST(Simulations, PoliciesSeeTheSameDemands) {
  Scenario scenario = unlock_question();
  scenario.duration = 20ms;
  const auto demands = [&](const Policy& policy) {
    return tests::in_child([&] {
      const Result result = simulate(scenario, policy, {});
      const ClassResult& open = result.classes.at(2);
      return std::to_string(open.total().latency().count() + open.unfinished);
    });
  };
  const std::string known = demands(write_held());
  EXPECT_GT(std::stoi(known), 900);
  EXPECT_EQ(demands(downgrade()), known);
  EXPECT_EQ(demands(unlock_downgrade()), known);
}

// One request is due every 10 us from 10 us on; the last at the very end. Each of them is warm-up, has been served or
// never will be.
TEST(Simulations, EveryRequestThatWasDueIsAccountedFor) {
  check_in_child([] {
    Scenario scenario = quiet_machine();
    scenario.machine.scheduler.wake_up_latency = 2us;
    scenario.duration = 1ms + 1us;
    add(scenario, {"faulter", 1, faulter(OpenLoop{Constant{10us}})});
    const Result result = simulate(scenario, write_held(), {});
    // The thread starts at 2 us: due at 12, 22, ..., 992; the next at 1002.
    const ClassResult& faults = result.classes.at(0);
    EXPECT_EQ(faults.warm_up + samples(result, 0, Phase::idle).latency().count() + faults.cut_off, 99U);
  });
}

TEST(Simulations, ARequestThatIsDueButStillWakingUpAtTheEndIsUnfinished) {
  check_in_child([] {
    Scenario scenario = quiet_machine();
    scenario.machine.scheduler.wake_up_latency = 2us;
    scenario.duration = 1ms + 3us;
    add(scenario, {"faulter", 1, faulter(OpenLoop{Constant{10us}})});
    const Result result = simulate(scenario, write_held(), {});
    EXPECT_EQ(result.classes.at(0).unfinished, 1U);                     // due at 1002
    EXPECT_EQ(samples(result, 0, Phase::idle).latency().count(), 99U);  // with it; without the first, which is warm-up
  });
}

// Both find it unmapped and map it; only one can.
TEST(Simulations, TwoLockersCanShareARegion) {
  check_in_child([] {
    Scenario scenario = quiet_machine();
    add_locker(scenario, 16, {{Call::munmap}, {Call::mlock}, {Call::hold, 5us}});
    scenario.processes.front().threads.front().count = 2;
    const Result result = simulate(scenario, write_held(), {});
    EXPECT_EQ(result.memory.at_end.unevictable, PageCount(16));
  });
}

TEST(Simulations, TheRunEndsWithTheLastLockersScript) {
  check_in_child([] {
    Scenario scenario = quiet_machine();
    add_locker(scenario, 16, {{Call::mlock}, {Call::hold, 5us}});
    add(scenario, {"faulter", 1, faulter(ClosedLoop{Constant{1us}})});
    EXPECT_EQ(simulate(scenario, write_held(), {}).sim_time, 16 * kPage + 5us);
  });
}

TEST(Simulations, ADurationEndsTheRunAndAnEndedLockerUsesNoMoreCpu) {
  check_in_child([] {
    Scenario scenario = quiet_machine();
    scenario.duration = 1ms;
    add_locker(scenario, 16, {{Call::mlock}});
    add(scenario, {"faulter", 1, faulter(ClosedLoop{Constant{1us}})});
    const Result result = simulate(scenario, write_held(), {});
    EXPECT_EQ(result.sim_time, 1ms);
    EXPECT_EQ(result.classes.at(0).cpu(), 16 * kPage);
  });
}

TEST(Simulations, OutOfMemoryIsAnOutcome) {
  for (const bool stepwise : {false, true}) {
    check_in_child([&] {
      Scenario scenario = quiet_machine();
      scenario.memory.size = Bytes(16 * kMiB);
      scenario.memory.min_free = Bytes(1 * kMiB);
      scenario.memory.free = Bytes(8 * kMiB);
      add_locker(scenario, 5000, {{Call::mlock}, {Call::hold, 1ms}});
      const Result result = simulate(scenario, write_held(), {stepwise, {}});
      EXPECT_EQ(result.outcome, Outcome::out_of_memory);
      EXPECT_EQ(result.memory.at_end.evictable(), PageCount(0));
      EXPECT_EQ(result.memory.at_end.total(), PageCount(4096));
    });
  }
}

TEST(Simulations, NoPageIsLost) {
  check_in_child([] {
    Scenario scenario = unlock_question();
    add(scenario, {"mapper", 1, MapperSpec{Bytes(8 * kPageSize), ClosedLoop{Constant{100us}}}});
    const Result result = simulate(scenario, unlock_downgrade(), {});
    EXPECT_EQ(result.memory.at_end.total(), pages_of(scenario.memory.size));
    // The script ends with munmap.
    EXPECT_EQ(result.memory.at_end.inactive_anon + result.memory.at_end.active_anon, PageCount(0));
    EXPECT_EQ(result.memory.at_end.unevictable, PageCount(0));
  });
}

TEST(Simulations, EveryKindOfCostWorks) {
  const std::vector<Distribution> kinds{Constant{700ns}, sim::Uniform{500ns, 900ns}, Exponential{700ns},
                                        sim::Lognormal{600ns, 2000ns}, sim::Empirical{{100ns, 700ns, 1300ns}}};
  for (const Distribution& kind : kinds) {
    check_in_child([&] {
      Scenario scenario = quiet_machine();
      Costs& costs = scenario.machine.costs;
      for (Distribution* cost : {&costs.populate_page, &costs.mlock_page, &costs.munlock_page, &costs.zap_page}) {
        *cost = kind;
      }
      add_locker(scenario, 5000, {{Call::mlock}, {Call::munlock}, {Call::munmap}});
      const Result result = simulate(scenario, write_held(), {});
      // 15,000 draws: populate, munlock, zap.
      EXPECT_NEAR(static_cast<double>(result.sim_time.count()), 15'000 * kind.mean(), 0.03 * 15'000 * kind.mean());
    });
  }
}

TEST(Simulations, AThrownErrorLeavesSimulate) {
  check_in_child([] {
    Scenario scenario = quiet_machine();
    add(scenario, {"ps", 1, ProcReaderSpec{ProcReaderSpec::File::cmdline, "nobody", ClosedLoop{Constant{1us}}}});
    EXPECT_THROW((void)simulate(scenario, write_held(), {}), std::logic_error);
  });
}

}  // namespace
}  // namespace models::simulation_test
