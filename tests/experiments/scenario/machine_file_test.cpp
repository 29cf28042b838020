#include "experiments/scenario/machine_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "experiments/scenario/config_catalogue.h"
#include "tests/support/config_files.h"

namespace experiments::machine_file_test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using tests::machine_mistakes;
using tests::mistakes;
using tests::read;
using tests::shipped_machine;
using tests::with;
using tests::write;
using namespace std::chrono_literals;

class MachineFile : public tests::ConfigFiles {};

TEST_F(MachineFile, OverridesSingleCostsOfANamedMachine) {
  const auto scenario = read(with("cpus: 4}", "name: faster, costs: {munlock_page: 10ns, fault: uniform 1us 2us}}"));
  auto expected = read_machine(*find_config(ConfigKind::machines, "epyc-zen4-linux-6.18"));
  expected.name = "faster";
  expected.costs.munlock_page = sim::Constant{10ns};
  expected.costs.fault = sim::Uniform{1us, 2us};
  EXPECT_EQ(scenario.machine, expected);
}

TEST_F(MachineFile, ReadsWhatReclaimCosts) {
  const auto machine = read(with("cpus: 4}",
                                 "costs: {zone_lock: 1us, scan_page: uniform 1ns 2ns, reclaim_page: 3ns, pageout: "
                                 "exponential 4ns}}"))
                           .machine;
  EXPECT_EQ(machine.costs.zone_lock, 1us);
  EXPECT_EQ(machine.costs.scan_page, sim::Distribution(sim::Uniform{1ns, 2ns}));
  EXPECT_EQ(machine.costs.reclaim_page, sim::Distribution(sim::Constant{3ns}));
  EXPECT_EQ(machine.costs.pageout, sim::Distribution(sim::Exponential{4ns}));
  EXPECT_THAT(machine_mistakes(with("zone_lock: 2us", "zone_lock: uniform 1us 2us", shipped_machine())),
              ElementsAre(HasSubstr("costs.zone_lock: expected a duration such as")));
}

TEST_F(MachineFile, ReadsHowFastMemoryCanBeCleared) {
  EXPECT_EQ(read(with("cpus: 4}", "clear_bandwidth: 3GiB/s}")).machine.clear_bandwidth,
            models::Bytes(std::int64_t{3} << 30U));
  EXPECT_THAT(machine_mistakes(with("clear_bandwidth: 10GiB/s", "clear_bandwidth: 10GiB", shipped_machine())),
              ElementsAre(HasSubstr("clear_bandwidth: expected a rate such as 400MiB/s")));
  EXPECT_THAT(machine_mistakes(with("clear_bandwidth: 10GiB/s", "clear_bandwidth: 1B/s", shipped_machine())),
              ElementsAre(HasSubstr("clear_bandwidth: expected at least 1MiB/s")));
}

TEST_F(MachineFile, CostsThatGrowAreNothingWhereTheyAreNotGiven) {
  const std::vector<sim::Nanoseconds models::Costs::*> grow{
      &models::Costs::cache_line,      &models::Costs::munmap_vma,       &models::Costs::tlb_flush_cpu,
      &models::Costs::mlock_vma,       &models::Costs::munlock_vma,      &models::Costs::cow_page,
      &models::Costs::dontneed_page,   &models::Costs::mprotect_page,    &models::Costs::fork_process,
      &models::Costs::lruvec_lock,     &models::Costs::gup_present,      &models::Costs::remap_page,
      &models::Costs::gup_huge,        &models::Costs::split_huge,       &models::Costs::fork_huge,
      &models::Costs::proc_smaps_huge, &models::Costs::collapse_page,    &models::Costs::collapse_absent,
      &models::Costs::batched_pte,     &models::Costs::struct_page_miss, &models::Costs::page_mkwrite,
      &models::Costs::writeback_page,  &models::Costs::shmem_page,       &models::Costs::remove_page,
      &models::Costs::mmu_gather,      &models::Costs::proc_seq_file};
  std::size_t optional = 0;
  for (const models::CostRow& row : models::kCosts) optional += row.required ? 0 : 1;
  EXPECT_EQ(optional, grow.size() + 4);  // and populate_huge, mlock_huge, munlock_huge, zap_huge, which are drawn
  std::string file = shipped_machine();
  for (const models::CostRow& row : models::kCosts) {
    if (row.required) continue;
    const std::size_t key = file.find("\n  " + std::string(row.name) + ":");
    ASSERT_NE(key, std::string::npos) << row.name;
    file.erase(key, file.find('\n', key + 1) - key);
  }
  const models::Machine machine = read_machine(tests::write("machine.yaml", file));
  for (const auto cost : grow) EXPECT_EQ(machine.costs.*cost, 0ns);
}

TEST_F(MachineFile, ReadsWhatThoseCostWhoAskWhereMemoryIs) {
  const auto machine = read(with("cpus: 4}", "costs: {mincore_page: 7ns, get_mempolicy: uniform 1ns 2ns}}")).machine;
  EXPECT_EQ(machine.costs.mincore_page, 7ns);
  EXPECT_EQ(machine.costs.get_mempolicy, sim::Distribution(sim::Uniform{1ns, 2ns}));
  EXPECT_THAT(machine_mistakes(with("mincore_page: 5ns", "mincore_page: uniform 1ns 2ns", shipped_machine())),
              ElementsAre(HasSubstr("costs.mincore_page: expected a duration such as")));
  EXPECT_THAT(machine_mistakes(with("get_mempolicy: 180ns", "get_mempolicy: 180", shipped_machine())),
              ElementsAre(HasSubstr("costs.get_mempolicy: expected a duration")));
}

TEST_F(MachineFile, RefusesAnUnknownMachineWithTheNearest) {
  EXPECT_THAT(mistakes(with("machines/epyc-zen4-linux-6.18", "machines/epyc-zen5")),
              ElementsAre(StartsWith("s.yaml:3:17: machine.from: there is no machine 'machines/epyc-zen5'")));
  EXPECT_THAT(mistakes(with("{from: machines/epyc-zen4-linux-6.18, cpus: 4}", "epyc")),
              ElementsAre("s.yaml:3:10: machine: there is no machine 'epyc' (did you mean epyc-zen4-linux-6.18?)"));
}

TEST_F(MachineFile, RefusesNumbersOfCpusThatNobodyHas) {
  EXPECT_THAT(mistakes(with("cpus: 4", "cpus: 0")),
              ElementsAre("s.yaml:3:54: machine.cpus: expected a whole number from 1 to 4096, found '0'"));
  EXPECT_THAT(mistakes(with("cpus: 4", "cpus: 4097")),
              ElementsAre("s.yaml:3:54: machine.cpus: expected a whole number from 1 to 4096, found '4097'"));
}

TEST_F(MachineFile, RefusesAnIncompleteInlineMachineKeyByKey) {
  const auto lines = mistakes(with("{from: machines/epyc-zen4-linux-6.18, cpus: 4}", "{form: x, costs: {fault: 1us}}"));
  EXPECT_THAT(lines, SizeIs(1 + 3 + 33));
  EXPECT_THAT(lines, Contains("s.yaml:3:10: machine.scheduler: missing"));
  EXPECT_THAT(lines, Contains("s.yaml:3:11: machine.form: unknown key (did you mean from?)"));
  EXPECT_THAT(lines, Contains("s.yaml:3:27: machine.costs.zap_page: missing"));
}

TEST_F(MachineFile, NamesTheMachineFileForTheMistakesInIt) {
  write("machines/broken.yaml", with("cpus: 2 ", "cpus: two", shipped_machine()));
  EXPECT_THAT(mistakes(with("machines/epyc-zen4-linux-6.18, cpus: 4", "broken, costs: {fault: 5}")),
              ElementsAre(AllOf(StartsWith("machines/broken.yaml:"),
                                HasSubstr(": cpus: expected a whole number from 1 to 4096, found 'two")),
                          StartsWith("s.yaml:3:40: machine.costs.fault: expected a duration")));
}

TEST_F(MachineFile, RefusesMachinesWithImpossibleCosts) {
  auto text = with("tick: 4ms", "tick: 0ms", shipped_machine());
  text = with("find_vma: 100ns", "find_vma: exponential 100ns", text);
  text = with("zap_page: 186ns", "zap_pge: 186ns", text);
  EXPECT_THAT(
      machine_mistakes(text),
      ElementsAre(HasSubstr("scheduler.tick: expected a duration above zero, found '0ms'"),
                  HasSubstr("costs.zap_page: missing"), HasSubstr("costs.find_vma: expected a duration such as"),
                  HasSubstr("costs.zap_pge: unknown key (did you mean zap_page?)")));
}

TEST_F(MachineFile, AMachineIsQuietUnlessItSaysWhatDisturbsIt) {
  const auto noise = [&](const std::string& text) {
    return read(with("cpus: 4", "cpus: 4, noise: " + text)).machine.noise;
  };
  using By = models::Interruption::By;
  EXPECT_EQ(read(tests::kScenario).machine.noise, models::NoiseSpec{});
  EXPECT_EQ(noise("none"), models::NoiseSpec{});
  EXPECT_EQ(noise("{}"), models::NoiseSpec{});
  const models::NoiseSpec all = noise(
      "{interruptions: [{by: interrupt, every: exponential 1ms, length: [2us, 3us, 90us]}, "
      "{by: hypervisor, every: 1s, length: 2ms}, {by: task, every: uniform 1ms 9ms, length: 130us}], "
      "wake_up: exponential 1us, timer: 50us, page_costs: [0.5, 1, 1.66], grace_periods: 12us, "
      "idle_states: [{after: 200us, calls: 100ns}, {after: [1ms, 2ms], wake_up: 150us, calls: 6us, faults: 5us, files: "
      "exponential 18us}]}");
  const models::NoiseSpec expected{{{By::interrupt, sim::Exponential{1ms}, sim::Empirical{{2us, 3us, 90us}}},
                                    {By::hypervisor, sim::Constant{1s}, sim::Constant{2ms}},
                                    {By::task, sim::Uniform{1ms, 9ms}, sim::Constant{130us}}},
                                   sim::Exponential{1us},
                                   sim::Constant{50us},
                                   {500, 1000, 1660},
                                   sim::Constant{12us},
                                   {{sim::Constant{200us}, {}, sim::Constant{100ns}, {}, {}},
                                    {sim::Empirical{{1ms, 2ms}}, sim::Constant{150us}, sim::Constant{6us},
                                     sim::Constant{5us}, sim::Exponential{18us}}}};
  EXPECT_EQ(all, expected);
}

TEST_F(MachineFile, RefusesNoiseThatIsNone) {
  const auto complaints = [&](const std::string& text) { return mistakes(with("cpus: 4", "cpus: 4, noise: " + text)); };
  EXPECT_THAT(complaints("loud"), ElementsAre(HasSubstr("machine.noise: expected none, or a map with interruptions")));
  EXPECT_THAT(complaints("{timers: 1us}"),
              ElementsAre(HasSubstr("machine.noise.timers: unknown key (did you mean timer?)")));
  EXPECT_THAT(complaints("{idle_states: [{wake_up: 1us}]}"),
              ElementsAre(HasSubstr("machine.noise.idle_states[0].after: missing")));
  EXPECT_THAT(complaints("{idle_states: [{after: 2ms}, {after: 1ms}]}"),
              ElementsAre(HasSubstr("machine.noise.idle_states[1]: expected the shallowest first")));
  EXPECT_THAT(complaints("{interruptions: [{by: interupt, every: 1ms, length: 1us}]}"),
              ElementsAre(HasSubstr("machine.noise.interruptions[0].by: expected interrupt, hypervisor, task, found "
                                    "'interupt' (did you mean interrupt?)")));
  EXPECT_THAT(
      complaints("{interruptions: [{by: task, every: 0ns, length: 1us}]}"),
      ElementsAre(HasSubstr("machine.noise.interruptions[0].every: expected a distribution with a mean above zero")));
  EXPECT_THAT(complaints("{interruptions: [{by: task, every: 5, length: 1us}]}"),
              ElementsAre(HasSubstr("machine.noise.interruptions[0].every: expected a duration")));
  EXPECT_THAT(complaints("{interruptions: [{by: task, every: 1ms}]}"),
              ElementsAre(HasSubstr("machine.noise.interruptions[0].length: missing")));
  EXPECT_THAT(complaints("{interruptions: [{by: task, every: 1ms, length: 600us}, {by: interrupt, every: 1ms, length: "
                         "[500us, 300us]}]}"),
              ElementsAre(HasSubstr("machine.noise.interruptions: expected interruptions that take at most 95 % of a "
                                    "CPU, found 100 %")));
  EXPECT_THAT(complaints("{page_costs: [1, 0]}"),
              ElementsAre(HasSubstr("machine.noise.page_costs[1]: expected a number from 0.1 to 100, found '0'")));
  EXPECT_THAT(complaints("{wake_up: [1us, 2]}"), ElementsAre(HasSubstr("machine.noise.wake_up[1]: ")));
  EXPECT_THAT(complaints("{timer: []}"), ElementsAre(HasSubstr("expected a list of durations, found an empty list")));
}

// Each kernel's scheduler, and any of its keys on top.
TEST_F(MachineFile, AnEraSaysWhoseRulesTheSchedulerHas) {
  const auto scheduler = [&](const std::string& keys) {
    return read(with("cpus: 4", "cpus: 4, scheduler: {" + keys + "}")).machine.scheduler;
  };
  const std::string rest = ", preempt: full, context_switch: 1us, wake_up_latency: 2us";
  using models::FairFlavour;
  using models::Throttling;
  EXPECT_EQ(scheduler("era: linux-6.1" + rest).flavour, FairFlavour::cfs);
  EXPECT_EQ(scheduler("era: linux-6.1" + rest).throttling, Throttling::in_kernel);
  EXPECT_EQ(scheduler("era: linux-6.6" + rest).flavour, FairFlavour::eevdf);
  EXPECT_FALSE(scheduler("era: linux-6.6" + rest).delayed_dequeue);
  EXPECT_EQ(scheduler("era: linux-6.6" + rest).base_slice, 750us);
  EXPECT_TRUE(scheduler("era: linux-6.12" + rest).delayed_dequeue);
  EXPECT_EQ(scheduler("era: linux-6.12" + rest).base_slice, 700us);
  EXPECT_EQ(scheduler("era: linux-6.12" + rest).throttling, Throttling::in_kernel);
  EXPECT_EQ(scheduler("era: linux-6.18" + rest).throttling, Throttling::at_user_return);
  EXPECT_EQ(scheduler("era: linux-6.18" + rest).base_slice, 700us);
  EXPECT_EQ(scheduler("era: linux-6.18" + rest).preempt, models::Preemption::full);
  EXPECT_EQ(scheduler("era: linux-6.18, throttling: in_kernel" + rest).throttling, Throttling::in_kernel);
  EXPECT_EQ(scheduler("era: linux-6.1, latency: 20ms, tick: 1ms" + rest).latency, 20ms);
}

TEST_F(MachineFile, ASchedulerCanBeLazyAndHaveAutogroupsAndDearMigrations) {
  const auto scheduler = [&](const std::string& keys) {
    return read(with("cpus: 4", "cpus: 4, scheduler: {" + keys + "}")).machine.scheduler;
  };
  EXPECT_EQ(scheduler("preempt: lazy").preempt, models::Preemption::lazy);
  EXPECT_FALSE(scheduler("preempt: lazy").autogroup);
  EXPECT_TRUE(scheduler("autogroup: true").autogroup);
  EXPECT_EQ(scheduler("preempt: lazy").migration_cost, 500us);
  EXPECT_EQ(scheduler("migration_cost: 0ns").migration_cost, 0ns);
  EXPECT_THAT(mistakes(with("cpus: 4", "cpus: 4, scheduler: {autogroup: 1}")),
              ElementsAre(HasSubstr("machine.scheduler.autogroup: expected true or false, found '1'")));
}

TEST_F(MachineFile, PreemptionIsOneThatTheSchedulersKernelHas) {
  const auto mistake = [&](const std::string& keys) { return mistakes(with("cpus: 4", "cpus: 4, " + keys)); };
  EXPECT_THAT(mistake("scheduler: {era: linux-6.1, preempt: lazy}"),
              ElementsAre(HasSubstr("machine.scheduler.preempt: expected none, voluntary or full: preemption is lazy "
                                    "since Linux 6.13 only, found 'lazy'")));
  EXPECT_THAT(mistake("scheduler: {era: linux-6.6, preempt: lazy}"), ElementsAre(HasSubstr("6.13")));
  EXPECT_THAT(mistake("scheduler: {era: linux-6.12, preempt: lazy}"), IsEmpty()) << "that of 6.17, too";
  EXPECT_THAT(mistake("kernel: 6.12, scheduler: {preempt: lazy}"), ElementsAre(HasSubstr("6.13")));
  EXPECT_THAT(mistake("kernel: debian-13, scheduler: {preempt: lazy}"), ElementsAre(HasSubstr("6.13")));
  EXPECT_THAT(mistake("kernel: 6.13, scheduler: {preempt: lazy}"), IsEmpty());
  EXPECT_THAT(mistake("kernel: 7.0, scheduler: {preempt: voluntary}"), ElementsAre(HasSubstr("expected lazy or full")));
  EXPECT_THAT(mistake("kernel: 7.0, scheduler: {preempt: full}"), IsEmpty());
}

TEST_F(MachineFile, AMachineSaysHowManyCpusShareACache) {
  EXPECT_EQ(read(with("cpus: 4", "cpus: 4")).machine.llc_cpus, 0);
  EXPECT_EQ(read(with("cpus: 4", "cpus: 4, llc_cpus: 2")).machine.llc_cpus, 2);
  EXPECT_THAT(mistakes(with("cpus: 4", "cpus: 4, llc_cpus: 0")),
              ElementsAre("s.yaml:3:67: machine.llc_cpus: expected a whole number from 1 to 4096, found '0'"));
}

TEST_F(MachineFile, RefusesASchedulerThatNobodyHas) {
  const auto refused = [&](const std::string& keys) {
    return mistakes(with("cpus: 4", "cpus: 4, scheduler: {" + keys + "}"));
  };
  EXPECT_THAT(refused("era: linux-6.2"), Contains(HasSubstr("scheduler.era: expected linux-6.1, linux-6.6")));
  EXPECT_THAT(refused("preempt: fully"),
              Contains(HasSubstr("expected none, voluntary, full, lazy, found 'fully' (did you mean "
                                 "full?)")));
  EXPECT_THAT(refused("timeslice: 4ms"), Contains(HasSubstr("scheduler.timeslice: unknown key")));
}

}  // namespace
}  // namespace experiments::machine_file_test
