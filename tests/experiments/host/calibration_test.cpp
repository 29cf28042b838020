#include "experiments/host/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/host/probe_reading.h"
#include "experiments/host/quietness.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/machine_file.h"
#include "tests/support/config_files.h"
#include "tests/support/probe_json.h"

namespace experiments::calibration_test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

Calibration calibration_of(const Json& probe) { return calibrate(parse_probe(probe.dump(), "probe.json"), "mine"); }

models::Machine machine_of(const Json& probe) {
  return read_machine(tests::write("mine.yaml", calibration_of(probe).text));
}

/// The line of a key in what is made of a reading.
std::string line_of(const Json& probe, const std::string& key) {
  std::istringstream lines(calibration_of(probe).text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t word = line.find_first_not_of(' ');
    if (word != std::string::npos && line.compare(word, key.size() + 1, key + ":") == 0) return line;
  }
  return "";
}

class CalibrationOf : public tests::ConfigFiles {
 protected:
  Json probe_ = tests::probe_json();
  models::Machine stand_in() { return read_machine(*find_config(ConfigKind::machines, kStandInMachine)); }
};

TEST_F(CalibrationOf, AProbesReadingIsAMachineThatTheReaderTakes) {
  const models::Machine machine = machine_of(probe_);
  EXPECT_EQ(machine.name, "mine");
  EXPECT_EQ(machine.cpus, 8);
  EXPECT_EQ(machine.llc, models::Bytes(16 << 20));
  EXPECT_EQ(machine.llc_cpus, 4);
  EXPECT_EQ(machine.thp, models::Thp::always);
  EXPECT_EQ(machine.reclaim, models::ReclaimKind::mglru);
  EXPECT_EQ(machine.scheduler.of, "debian-13");
  EXPECT_EQ(machine.scheduler.flavour, models::FairFlavour::eevdf);
  EXPECT_TRUE(machine.scheduler.delayed_dequeue);
  EXPECT_EQ(machine.scheduler.preempt, models::Preemption::voluntary);
  EXPECT_EQ(machine.scheduler.tick, 1ms);
  EXPECT_TRUE(machine.scheduler.autogroup);
  EXPECT_EQ(machine.scheduler.base_slice, 700us);  // 2.8 ms on 8 CPUs
  EXPECT_EQ(machine.scheduler.migration_cost, 500us);
  EXPECT_EQ(machine.scheduler.context_switch, 1800ns);
  EXPECT_EQ(machine.scheduler.wake_up_latency, 4500ns);
}

// The middle of each tenth of something whose p10 and p90 are a tenth below and above its median, less something.
sim::Distribution tenths_of(double median, double p99, double less) {
  std::vector<sim::Nanoseconds> samples;
  for (const double multiple : {0.9, 0.9125, 0.9375, 0.9625, 0.9875, 1.0125, 1.0375, 1.0625, 1.0875}) {
    samples.emplace_back(std::llround(multiple * median - less));
  }
  const double p90 = 1.1 * median;
  samples.emplace_back(std::llround(p90 + (p99 - p90) * 5 / 9 - less));
  return sim::Empirical{samples};
}

// One in ten that takes long says nothing of the four between it and the median.
TEST_F(CalibrationOf, TakesAProbesTenthsAsTheyAre) {
  Json tenths = {4'000, 4'100, 4'200, 4'300, 4'400, 4'600, 4'700, 4'800, 4'900, 900'000};
  probe_["quantities"]["timer_lateness"]["tenths"] = tenths;
  const models::Machine machine = machine_of(probe_);
  const sim::Nanoseconds wake_up = machine.scheduler.wake_up_latency;
  std::vector<sim::Nanoseconds> later;
  for (const Json& each : tenths) {
    later.push_back(std::max(sim::Nanoseconds{each.get<std::int64_t>()} - wake_up, sim::Nanoseconds{0}));
  }
  EXPECT_EQ(machine.noise.timer, sim::Distribution(sim::Empirical{later}));
}

TEST_F(CalibrationOf, PutsWhatWasMeasuredIntoTheRightKeys) {
  const models::Costs costs = machine_of(probe_).costs;
  const models::Costs other = stand_in().costs;
  models::Costs expected;
  expected.rwsem_wake = 1500ns;
  expected.cache_line = 60ns;
  expected.system_call = 100ns;
  expected.vma_split = 540ns;
  expected.vma_merge = 380ns;
  expected.mmap = tenths_of(1660, 5160, 160);  // less a system call and two operations of 30 ns
  expected.munmap = tenths_of(1760, 1.1 * 1760, 160);
  expected.munmap_vma = 520ns;
  expected.tlb_flush_cpu = 1800ns;
  expected.mmu_gather = 700ns;
  expected.mlock_vma = 600ns;
  expected.munlock_vma = 450ns;
  expected.populate_page = sim::Constant{900ns};
  expected.mlock_page = sim::Constant{210ns};
  expected.gup_present = 90ns;
  expected.munlock_page = sim::Constant{120ns};
  expected.zap_page = sim::Constant{240ns};
  expected.fault = tenths_of(1060, 4060, 60);
  expected.cow_page = 440ns;
  expected.mprotect = sim::Constant{1100ns};
  expected.mprotect_page = 30ns;
  expected.madvise = sim::Constant{400ns};
  expected.remap_page = 15ns;
  expected.dontneed_page = 20ns;
  expected.mincore_page = 2ns;
  expected.get_mempolicy = sim::Constant{240ns};
  expected.fork_process = 10'900ns;
  expected.fork_vma = 350ns;
  expected.fork_page = 50ns;
  expected.populate_huge = sim::Constant{100'000ns};
  expected.mlock_huge = sim::Constant{400ns};
  expected.gup_huge = 150ns;
  expected.munlock_huge = sim::Constant{410ns};
  expected.zap_huge = sim::Constant{5200ns};
  expected.split_huge = 11'000ns;
  expected.fork_huge = 1200ns;
  expected.proc_smaps_huge = 70ns;
  expected.collapse_page = 400ns;
  expected.collapse_absent = 200ns;
  expected.proc_maps_vma = 240ns;
  expected.proc_smaps_vma = 2200ns;
  expected.proc_smaps_page = 33ns;
  expected.proc_numa_maps_vma = 370ns;
  expected.proc_rollup_vma = 95ns;
  expected.access_page = sim::Constant{360ns};
  expected.proc_cmdline = sim::Constant{1500ns};
  expected.proc_open = sim::Constant{5'000ns};
  expected.proc_seq_file = 5'000ns;  // 15 us less 20 lines of 240 ns, two system calls and proc_open
  expected.rwsem_operation = 30ns;   // a third of what it takes to look for a VMA
  expected.find_vma = 30ns;
  // What no user can measure.
  expected.lru_add_drain_all = other.lru_add_drain_all;
  expected.munlock_absent = other.munlock_absent;
  expected.rmap_vma = other.rmap_vma;
  expected.page_mkwrite = other.page_mkwrite;
  expected.writeback_page = other.writeback_page;
  expected.shmem_page = other.shmem_page;
  expected.remove_page = other.remove_page;
  expected.batched_pte = other.batched_pte;
  expected.struct_page_miss = other.struct_page_miss;
  expected.zone_lock = other.zone_lock;
  expected.lruvec_lock = other.lruvec_lock;
  expected.scan_page = other.scan_page;
  expected.reclaim_page = other.reclaim_page;
  expected.pageout = other.pageout;
  for (const models::CostRow& row : models::kCosts) {
    std::visit([&](auto member) { EXPECT_EQ(costs.*member, expected.*member) << row.name; }, row.member);
  }
}

TEST_F(CalibrationOf, SaysOfEachKeyHowItWasMeasuredOrWhyNot) {
  EXPECT_THAT(
      line_of(probe_, "munlock_page"),
      AllOf(StartsWith("  munlock_page: 120ns "), EndsWith("# measured: munlock_4k 120 ns, 108 ns to 132 ns, n 40")));
  EXPECT_THAT(line_of(probe_, "mlock_page"), EndsWith("# measured: mlock_4k 300 ns, 270 ns to 330 ns, n 40; "
                                                      "less mlock_again_4k 90 ns, 81 ns to 99 ns, n 40"));
  EXPECT_THAT(line_of(probe_, "proc_seq_file"),
              HasSubstr("less 20 x proc_maps_vma 240 ns; less 2 x system_call 100 ns; less proc_open 5.00 us"));
  EXPECT_THAT(line_of(probe_, "lru_add_drain_all"),
              EndsWith("# assumed: as in machines/epyc-zen4-linux-6.18 (no call is that alone)"));
  EXPECT_THAT(line_of(probe_, "preempt"), EndsWith("# measured: /sys/kernel/debug/sched/preempt"));
  EXPECT_THAT(line_of(probe_, "tick"), EndsWith("# measured: HZ 1000"));
  const Calibration calibration = calibration_of(probe_);
  EXPECT_EQ(calibration.measured.size() + calibration.assumed.size(), models::kCosts.size() + 14);
  for (const models::CostRow& row : models::kCosts) {
    EXPECT_THAT(line_of(probe_, std::string(row.name)),
                AllOf(HasSubstr("# "), testing::ContainsRegex("measured:|assumed:")));
  }
}

TEST_F(CalibrationOf, AssumesWhatTheProbeCouldNotMeasure) {
  for (const char* const quantity : {"mlock_4k", "mlock_again_4k", "munlock_4k"}) {
    probe_["quantities"].erase(quantity);
    probe_["not_measured"][quantity] = "RLIMIT_MEMLOCK is 64 KiB";
  }
  EXPECT_EQ(machine_of(probe_).costs.mlock_page, stand_in().costs.mlock_page);
  EXPECT_EQ(machine_of(probe_).costs.access_page,
            sim::Distribution(sim::Constant{450ns - stand_in().costs.gup_present}));
  EXPECT_THAT(line_of(probe_, "munlock_page"), EndsWith("(munlock_4k was not measured: RLIMIT_MEMLOCK is 64 KiB)"));
  EXPECT_THAT(calibration_of(probe_).assumed, Contains("gup_present"));
}

TEST_F(CalibrationOf, AssumesWhatDoesNotStandOut) {
  probe_["quantities"]["comm_file"] = tests::probe_quantity(7'000);  // longer than cmdline
  probe_["quantities"]["dontneed_4k"] = tests::probe_quantity(230);  // hardly more than munmap
  EXPECT_EQ(machine_of(probe_).costs.proc_cmdline, stand_in().costs.proc_cmdline);
  EXPECT_THAT(line_of(probe_, "proc_cmdline"),
              HasSubstr("(what was measured does not stand out: cmdline_file 6.50 us"));
  EXPECT_EQ(machine_of(probe_).costs.dontneed_page, 0ns) << "that may be nothing";
  EXPECT_THAT(line_of(probe_, "dontneed_page"), HasSubstr("# measured: "));
}

TEST_F(CalibrationOf, TakesWhatAbsentPagesCostFromKernelsThatLookAtThem) {
  probe_["host"]["kernel"] = "5.10.0-30-amd64";
  probe_["quantities"]["munlock_absent_4k"] = tests::probe_quantity(15);
  EXPECT_EQ(machine_of(probe_).costs.munlock_absent, sim::Distribution(sim::Constant{15ns}));
  EXPECT_EQ(machine_of(probe_).scheduler.flavour, models::FairFlavour::cfs);
}

TEST_F(CalibrationOf, LimitsClearingOnlyWhereCpusHinderEachOther) {
  EXPECT_EQ(machine_of(probe_).clear_bandwidth, models::Bytes(std::int64_t{40'000} << 20)) << "8 x 2 MiB in 400 us";
  probe_["quantities"]["populate_all_cpus_2m"] = tests::probe_quantity(110'000);
  EXPECT_EQ(machine_of(probe_).clear_bandwidth, std::nullopt);
}

TEST_F(CalibrationOf, ManagesWithoutWhatTheKernelDoesNotTell) {
  for (const char* const key : {"distribution", "cpu_model", "memory", "swap", "thp", "mglru", "preemption",
                                "preemption_source", "ticks_per_second", "autogroup"}) {
    probe_["host"][key] = nullptr;
  }
  probe_["host"]["kernel"] = "6.1.0";
  probe_["host"]["caches"] = Json::array();
  probe_["load"] = {{"load_average", nullptr}, {"busy", nullptr}, {"stolen", nullptr}};
  const models::Machine machine = machine_of(probe_);
  EXPECT_EQ(machine.thp, models::Thp::never);
  EXPECT_EQ(machine.reclaim, models::ReclaimKind::classic);
  EXPECT_EQ(machine.scheduler.tick, stand_in().scheduler.tick);
  EXPECT_EQ(machine.scheduler.preempt, stand_in().scheduler.preempt);
  EXPECT_THAT(line_of(probe_, "tick"), HasSubstr("# assumed: "));
  probe_["host"]["kernel"] = "6.1.0-40-amd64";
  EXPECT_THAT(line_of(probe_, "preempt"), AllOf(HasSubstr("voluntary"), HasSubstr("# assumed: ")));
}

TEST_F(CalibrationOf, AKernelThatNobodyKnowsIsRefused) {
  probe_["host"]["kernel"] = "2.4.20";
  EXPECT_THROW((void)calibration_of(probe_), UsageError);
  probe_["host"]["kernel"] = "plan9";
  EXPECT_THROW((void)calibration_of(probe_), UsageError);
}

TEST_F(CalibrationOf, WritesDownWhatDisturbsTheMachine) {
  using By = models::Interruption::By;
  const models::NoiseSpec noise = machine_of(probe_).noise;
  ASSERT_EQ(noise.interruptions.size(), 2u);
  sim::Empirical lengths{std::vector<sim::Nanoseconds>(16, 1500ns)};
  std::fill(lengths.samples.begin() + 8, lengths.samples.end(), 2500ns);
  EXPECT_EQ(noise.interruptions[0],
            (models::Interruption{By::interrupt, sim::Exponential{4'166'667ns}, lengths}));  // 8 x 480 in 8 x 2 s
  EXPECT_EQ(noise.interruptions[1], (models::Interruption{By::task, sim::Exponential{100ms},
                                                          sim::Empirical{std::vector<sim::Nanoseconds>(8, 20us)}}));
  EXPECT_EQ(noise.wake_up, sim::Distribution(sim::Empirical{
                               {1600ns, 1650ns, 1750ns, 1850ns, 1950ns, 2050ns, 2150ns, 2250ns, 2350ns, 2400ns}}))
      << "less the 2,000 ns of the waker";
  EXPECT_EQ(noise.timer, sim::Distribution(sim::Empirical{{40'500ns, 41'125ns, 42'375ns, 43'625ns, 44'875ns, 46'125ns,
                                                           47'375ns, 48'625ns, 49'875ns, 50'500ns}}))
      << "less a wake-up of 4,500 ns";
  ASSERT_TRUE(noise.grace_periods);
  EXPECT_NEAR(noise.grace_periods->mean(), 10'400, 50) << "of 14 us less two switches of 1,800 ns";
  ASSERT_EQ(noise.page_costs.size(), 10u);
  EXPECT_EQ(noise.page_costs.front(), 900);
  EXPECT_EQ(noise.page_costs.back(), 1100);
  EXPECT_THAT(line_of(probe_, "wake_up"), HasSubstr("# measured: wake_up_after_30us 4.00 us"));
}

TEST_F(CalibrationOf, WritesDownWhatAnIdleCpuFallsInto) {
  const std::vector<models::IdleState> states = machine_of(probe_).noise.idle_states;
  ASSERT_EQ(states.size(), 2u);
  ASSERT_TRUE(states[0].wake_up && states[1].wake_up);
  EXPECT_NEAR(states[0].wake_up->mean(), 4'500, 1) << "less the 2,000 ns of the waker";
  EXPECT_NEAR(states[0].calls.mean(), 200, 30) << "a tenth of them takes less than usual";
  const models::IdleState& deep = states[1];
  EXPECT_NEAR(deep.after.mean(), 1'375'000, 1);
  EXPECT_NEAR(deep.wake_up->mean(), 148'000, 1);
  EXPECT_NEAR(deep.calls.mean(), 6'000, 1);
  EXPECT_NEAR(deep.faults.mean(), 5'000, 1);
  EXPECT_NEAR(deep.files.mean(), 18'000, 1);
  probe_["quantities"].erase("mmap_after_5ms");
  EXPECT_TRUE(machine_of(probe_).noise.idle_states.empty()) << "of a probe that did not tell";
}

// However many there were on each CPU: what they take of all CPUs together stays.
TEST_F(CalibrationOf, ShortensTheListOfGapsSoThatTheyTakeAsMuch) {
  std::vector<double> many;
  double sum = 0;
  for (int length = 0; length < 50; ++length) sum += many.emplace_back(1'000 * (1 + length * length));
  probe_["noise"][3]["interrupts"] = {{"gaps", 5'000}, {"lengths_ns", many}};
  const models::Interruption interrupts = machine_of(probe_).noise.interruptions.at(0);
  const double expected = (5'000 * sum / 50 + 7 * 480 * 2'000) / 16e9;
  EXPECT_NEAR(interrupts.length.mean() / interrupts.every.mean(), expected, expected / 1000);
  EXPECT_EQ(std::get<sim::Empirical>(interrupts.length.kind()).samples.size(), 20u);
}

TEST_F(CalibrationOf, SaysNothingOfNoiseThatWasNotMeasured) {
  probe_["noise"] = Json::array();
  for (const char* const quantity :
       {"wake_up_after_300us", "timer_lateness", "grace_period", "populate_4k", "mlock_4k", "munlock_4k", "munmap_4k"})
    probe_["quantities"].erase(quantity);
  EXPECT_EQ(machine_of(probe_).noise, models::NoiseSpec{});
  EXPECT_THAT(calibration_of(probe_).text, Not(HasSubstr("noise:")));
}

TEST_F(CalibrationOf, SaysHowQuietTheMachineWas) {
  EXPECT_THAT(calibration_of(probe_).text, AllOf(HasSubstr("# quiet: load average 0.05"), Not(HasSubstr("NOT QUIET"))));
  const auto complaints = [&] {
    std::vector<std::string> texts;
    for (const QuietSign& sign : signs_of_quiet(parse_probe(probe_.dump(), ""))) {
      if (!sign.quiet) texts.push_back(sign.text);
    }
    return texts;
  };
  EXPECT_THAT(complaints(), testing::IsEmpty());
  probe_["load"]["busy"] = 0.5;
  probe_["noise"][3]["max_ns"] = 8e6;
  probe_["quantities"]["spin_loop"]["p90"] = 900'000;
  EXPECT_THAT(complaints(), testing::ElementsAre(HasSubstr("others used 50 % of the CPUs"), StartsWith("CPU 3: "),
                                                 HasSubstr("a factor of 2.08")));
}

TEST_F(CalibrationOf, NoTextOfTheProbeBreaksOutOfItsComment) {
  probe_["host"]["cpu_model"] = "Evil\ncosts: {}\nname: other";
  EXPECT_EQ(machine_of(probe_).name, "mine");
}

}  // namespace
}  // namespace experiments::calibration_test
