#include "experiments/scenario/machine_file.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <utility>
#include <variant>

#include "experiments/base/quantity.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/kernel_table.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_text.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

constexpr int kMostCpus = 4096;

enum class SchedulerEra { linux_6_1, linux_6_6, linux_6_12, linux_6_18 };

void read_cost(const YamlField& field, sim::Nanoseconds& cost) { assign(cost, std::optional(field), duration_of); }
void read_cost(const YamlField& field, sim::Distribution& cost) { assign(cost, std::optional(field), distribution_of); }

void read_costs(const std::optional<YamlField>& field, models::Costs& costs) {
  if (!field) return;
  YamlMap map = field->map("a map of costs");
  for (const models::CostRow& cost : models::kCosts) {
    const auto value = cost.required ? map.require(cost.name) : map.find(cost.name);
    if (value) std::visit([&](auto member) { read_cost(*value, costs.*member); }, cost.member);
  }
  map.refuse_unknown();
}

// Whose scheduler. What else differed between these kernels can be said key by key.
void use_era(models::SchedulerSpec& scheduler, SchedulerEra era) {
  using models::FairFlavour;
  scheduler.flavour = era == SchedulerEra::linux_6_1 ? FairFlavour::cfs : FairFlavour::eevdf;
  if (era < SchedulerEra::linux_6_12) return;
  scheduler.delayed_dequeue = true;
  // "Reduce the default slice ..." (2ae891b82695): 6.15, and 6.12 from 6.12.31 on; up to 6.14 it was 0.75 ms.
  scheduler.base_slice = std::chrono::microseconds(700);
  if (era >= SchedulerEra::linux_6_18) scheduler.throttling = models::Throttling::at_user_return;
}

std::optional<SchedulerEra> era_of(const YamlField& field) {
  return choice_of<SchedulerEra>(field, {{"linux-6.1", SchedulerEra::linux_6_1},
                                         {"linux-6.6", SchedulerEra::linux_6_6},
                                         {"linux-6.12", SchedulerEra::linux_6_12},
                                         {"linux-6.18", SchedulerEra::linux_6_18}});
}

std::optional<models::Preemption> preemption_of(const YamlField& field) {
  using models::Preemption;
  return choice_of<Preemption>(field, {{"none", Preemption::none},
                                       {"voluntary", Preemption::voluntary},
                                       {"full", Preemption::full},
                                       {"lazy", Preemption::lazy}});
}

std::optional<models::Throttling> throttling_of(const YamlField& field) {
  using models::Throttling;
  return choice_of<Throttling>(field,
                               {{"in_kernel", Throttling::in_kernel}, {"at_user_return", Throttling::at_user_return}});
}

std::optional<models::Thp> thp_of(const YamlField& field) {
  using models::Thp;
  return choice_of<Thp>(field, {{"always", Thp::always}, {"madvise", Thp::madvise}, {"never", Thp::never}});
}

std::optional<models::ReclaimKind> reclaim_kind_of(const YamlField& field) {
  using models::ReclaimKind;
  return choice_of<ReclaimKind>(field, {{"classic", ReclaimKind::classic}, {"mglru", ReclaimKind::mglru}});
}

/// Preemption that the scheduler's kernel does not have, as far as that is known.
void refuse_preemption_of_others(const YamlField& field, const models::SchedulerSpec& scheduler, SchedulerEra era) {
  using models::Preemption;
  constexpr models::KernelVersion kLazy{6, 13};
  constexpr models::KernelVersion kNothingElse{7, 0};  // on the architectures that have it: 7dadeaa6e851
  const auto release = kernel_release(scheduler.of);
  const bool lazy = scheduler.preempt == Preemption::lazy;
  if (lazy && (era < SchedulerEra::linux_6_12 || (release && *release < kLazy))) {
    field.refuse_expecting("none, voluntary or full: preemption is lazy since Linux 6.13 only");
  } else if (!lazy && scheduler.preempt != Preemption::full && release && *release >= kNothingElse) {
    field.refuse_expecting("lazy or full: since Linux 7.0 there is no other preemption");
  }
}

void read_scheduler(const std::optional<YamlField>& field, models::SchedulerSpec& scheduler) {
  if (!field) return;
  YamlMap map = field->map("a map with era, preempt, context_switch and wake_up_latency");
  assign(scheduler.of, map.find("of"), text_of);
  auto era = SchedulerEra::linux_6_1;
  assign(era, map.require("era"), era_of);
  use_era(scheduler, era);
  const auto preempt = map.require("preempt");
  assign(scheduler.preempt, preempt, preemption_of);
  if (preempt) refuse_preemption_of_others(*preempt, scheduler, era);
  assign(scheduler.tick, map.find("tick"), positive_duration_of);
  assign(scheduler.context_switch, map.require("context_switch"), duration_of);
  assign(scheduler.wake_up_latency, map.require("wake_up_latency"), duration_of);
  assign(scheduler.throttling, map.find("throttling"), throttling_of);
  assign(scheduler.autogroup, map.find("autogroup"), truth_of);
  assign(scheduler.latency, map.find("latency"), positive_duration_of);
  assign(scheduler.min_granularity, map.find("min_granularity"), positive_duration_of);
  assign(scheduler.wakeup_granularity, map.find("wakeup_granularity"), duration_of);
  assign(scheduler.base_slice, map.find("base_slice"), positive_duration_of);
  assign(scheduler.migration_cost, map.find("migration_cost"), duration_of);
  assign(scheduler.bandwidth_slice, map.find("bandwidth_slice"), positive_duration_of);
  map.refuse_unknown();
}

std::optional<models::Bytes> clear_bandwidth_of(const YamlField& field) {
  constexpr models::Bytes kLeast{std::int64_t{1} << 20};
  const auto rate = byte_rate_of(field);
  if (!rate || *rate >= kLeast) return rate;
  field.refuse_expecting(fmt::format("at least {}/s", spell(kLeast)));
  return std::nullopt;
}

std::optional<models::Interruption::By> interrupter_of(const YamlField& field) {
  using By = models::Interruption::By;
  return choice_of<By>(field, {{"interrupt", By::interrupt}, {"hypervisor", By::hypervisor}, {"task", By::task}});
}

models::Interruption interruption_of(const YamlField& field) {
  YamlMap map = field.map("a map with by, every and length");
  models::Interruption interruption;
  assign(interruption.by, map.require("by"), interrupter_of);
  assign(interruption.every, map.require("every"), inter_arrival_of);
  assign(interruption.length, map.require("length"), distribution_of);
  map.refuse_unknown();
  return interruption;
}

// Who runs on a CPU must get on.
void read_interruptions(const YamlField& field, std::vector<models::Interruption>& interruptions) {
  constexpr double kMost = 0.95;
  constexpr double kPercent = 100;
  double taken = 0;
  for (const YamlField& item : field.items("a list of interruptions")) {
    interruptions.push_back(interruption_of(item));
    const auto& [by, every, length] = interruptions.back();
    if (every.mean() > 0) taken += length.mean() / every.mean();
  }
  if (taken <= kMost) return;
  field.refuse(fmt::format("expected interruptions that take at most {:.0f} % of a CPU, found {:.0f} %",
                           kMost * kPercent, taken * kPercent));
}

std::optional<std::vector<int>> factors_of(const YamlField& field) {
  constexpr double kThousand = 1000;
  std::vector<int> thousandths;
  for (const YamlField& item : field.items("a list of factors such as [0.9, 1, 1.6]")) {
    if (const auto factor = item.number(0.1, 100)) {
      thousandths.push_back(static_cast<int>(std::lround(*factor * kThousand)));
    }
  }
  return thousandths;
}

models::IdleState idle_state_of(const YamlField& field) {
  YamlMap map = field.map("a map with after, wake_up, calls, faults and files");
  models::IdleState state;
  assign(state.after, map.require("after"), distribution_of);
  assign(state.wake_up, map.find("wake_up"), distribution_of);
  assign(state.calls, map.find("calls"), distribution_of);
  assign(state.faults, map.find("faults"), distribution_of);
  assign(state.files, map.find("files"), distribution_of);
  map.refuse_unknown();
  return state;
}

// As a CPU goes from one to the next.
void read_idle_states(const YamlField& field, std::vector<models::IdleState>& states) {
  for (const YamlField& item : field.items("a list of idle states, the shallowest first")) {
    states.push_back(idle_state_of(item));
    if (states.size() < 2 || states.end()[-2].after.mean() <= states.back().after.mean()) continue;
    item.refuse(
        "expected the shallowest first, found one that comes after less time, on average, than the one before it");
  }
}

void read_noise(const std::optional<YamlField>& field, models::NoiseSpec& noise) {
  if (!field || field->is_word("none")) return;
  YamlMap map =
      field->map("none, or a map with interruptions, wake_up, timer, page_costs, grace_periods and idle_states");
  if (const auto interruptions = map.find("interruptions")) read_interruptions(*interruptions, noise.interruptions);
  assign(noise.wake_up, map.find("wake_up"), distribution_of);
  assign(noise.timer, map.find("timer"), distribution_of);
  assign(noise.page_costs, map.find("page_costs"), factors_of);
  assign(noise.grace_periods, map.find("grace_periods"), distribution_of);
  if (const auto states = map.find("idle_states")) read_idle_states(*states, noise.idle_states);
  map.refuse_unknown();
}

models::Machine read_machine_keys(YamlMap& map) {
  models::Machine machine;
  assign(machine.name, map.require("name"), name_of);
  assign(machine.about, map.find("about"), text_of);
  assign(machine.cpus, map.require("cpus"), count_up_to(kMostCpus));
  assign(machine.llc_cpus, map.find("llc_cpus"), count_up_to(kMostCpus));
  assign(machine.llc, map.find("llc"), whole_pages_of);
  assign(machine.thp, map.find("thp"), thp_of);
  assign(machine.reclaim, map.find("reclaim"), reclaim_kind_of);
  assign(machine.clear_bandwidth, map.find("clear_bandwidth"), clear_bandwidth_of);
  read_scheduler(map.require("scheduler"), machine.scheduler);
  read_costs(map.require("costs"), machine.costs);
  read_noise(map.find("noise"), machine.noise);
  map.refuse_unknown();
  return machine;
}

}  // namespace

void check_machine(const YamlNode& root, std::vector<Diagnostic>& diagnostics) {
  if (YamlMap map = open_config(root, ConfigKind::machines, diagnostics)) (void)read_machine_keys(map);
}

void check_scheduler(const YamlNode& keys, const std::string& path, std::vector<Diagnostic>& diagnostics) {
  std::vector<Diagnostic> none;
  const YamlNode required =
      parse_yaml("{era: linux-6.1, preempt: none, context_switch: 0ns, wake_up_latency: 0ns}", {"", 0, 0}, none);
  const YamlNode whole = overlay(required, keys);
  models::SchedulerSpec scheduler;
  read_scheduler(YamlField(whole, path, diagnostics), scheduler);
}

YamlNode with_kernel(const YamlField& machine) {
  YamlNode node = machine.node();
  if (node.kind != YamlNode::Kind::map) return node;
  const auto named = machine.map().find("kernel");
  if (!named) return node;
  const YamlField& kernel = *named;
  const auto scheduler = kernel.parsed(kernel_scheduler, "a kernel such as 6.1 or debian-12");
  node = without_key(std::move(node), "kernel");
  if (!scheduler) return node;
  YamlNode below = node;
  below.entries.assign(1, {"scheduler", kernel.node().at, *scheduler});
  const auto add = [&](const char* key, std::optional<YamlNode> value) {
    if (value) below.entries.push_back({key, kernel.node().at, *std::move(value)});
  };
  add("thp", kernel_thp(kernel.node().scalar));
  add("reclaim", kernel_reclaim(kernel.node().scalar));
  return overlay(std::move(below), node);
}

std::optional<models::Machine> read_machine_value(const YamlField& written, const std::filesystem::path& scenario,
                                                  std::vector<Diagnostic>& diagnostics) {
  std::optional<models::Machine> machine;
  const YamlNode node = with_kernel(written);
  const YamlField field(node, written.path(), diagnostics);
  read_config_value(field, ConfigKind::machines, scenario, diagnostics,
                    [&](YamlMap& map) { machine = read_machine_keys(map); });
  name_as_in_table(diagnostics);
  return machine;
}

models::Machine read_machine(const std::filesystem::path& file) {
  std::vector<Diagnostic> diagnostics;
  models::Machine machine;
  (void)read_config(file, ConfigKind::machines, diagnostics, [&](YamlMap& map) { machine = read_machine_keys(map); });
  if (!diagnostics.empty()) throw InputError(diagnostics);
  return machine;
}

}  // namespace experiments
