#include "experiments/compare/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "experiments/base/quantity.h"
#include "experiments/base/terminal.h"
#include "experiments/compare/comparison.h"
#include "experiments/compare/histogram_text.h"
#include "experiments/compare/lock_report.h"
#include "experiments/compare/stalls.h"
#include "experiments/compare/text_figure.h"
#include "experiments/compare/verdict.h"
#include "experiments/run/result_json.h"

namespace experiments {

namespace {

std::string group(const models::GroupMemory& group) {
  const auto size = [](models::PageCount pages) { return human(bytes_of(pages)); };
  return fmt::format(
      "    group {}: {} at the end, {} at most; reclaimed {} in {} stalls, mean {}, longest {}; slept {} beyond "
      "memory.high\n",
      group.name, size(group.at_end), size(group.peak),
      size(models::PageCount(static_cast<std::int64_t>(group.reclaimed))), group.stalls.count(),
      mean_text(group.stalls), max_text(group.stalls), human(group.high_sleep));
}

std::string aging(const models::ReclaimStatistics& reclaim) {
  return fmt::format(
      "    aged by {} generations, {} walks of a process's page tables, {} of them without its mmap_sem\n",
      reclaim.generations, reclaim.mms_walked, reclaim.mms_passed_over);
}

std::string memory(const models::MemoryResult& memory) {
  const models::ReclaimStatistics& reclaim = memory.reclaim;
  const auto size = [](models::PageCount pages) { return human(bytes_of(pages)); };
  const auto amount = [](std::uint64_t pages) {
    return human(bytes_of(models::PageCount(static_cast<std::int64_t>(pages))));
  };
  std::string text = fmt::format(
      "    watermarks {} / {} / {}; free never below {}, at the end {}\n"
      "    allocated {}; reclaimed by kswapd {} ({} wake-ups), directly {} in {} stalls, mean {}, longest {}\n",
      size(memory.marks.min), size(memory.marks.low), size(memory.marks.high), size(memory.lowest_free),
      size(memory.at_end.free), amount(memory.allocated), amount(reclaim.kswapd_reclaimed), reclaim.kswapd_wakeups,
      amount(reclaim.direct_reclaimed), reclaim.direct_stalls.count(), mean_text(reclaim.direct_stalls),
      max_text(reclaim.direct_stalls));
  if (reclaim.generations + reclaim.mms_walked > 0) text += aging(reclaim);
  for (const models::GroupMemory& each : memory.groups) text += group(each);
  const models::DeviceStatistics& device = memory.device;
  if (device.read.requests() + device.write.requests() == 0) return text;
  return text + fmt::format(
                    "    swapped out {}, in {}; files written {}, read {}; working set read again {}\n"
                    "    device: {} reads, mean {}, longest {}; {} writes, mean {}; at most {} in its queue\n",
                    amount(reclaim.swapped_out), amount(reclaim.swapped_in), amount(reclaim.files_written),
                    amount(reclaim.files_read), amount(reclaim.refaults), device.read.requests(),
                    mean_text(device.read.latency), max_text(device.read.latency), device.write.requests(),
                    mean_text(device.write.latency), device.longest_queue);
}

// CPU time, what of it was spinning, and who was made to give a CPU away.
std::string cpus(const models::Scenario& scenario, const models::Result& result) {
  std::string text;
  sim::Nanoseconds used{};
  sim::Nanoseconds spun{};
  for (const models::ClassResult& each : result.classes) {
    text += fmt::format("    {:<18} {:>8} of CPU time{}, {} involuntary switches\n", each.name, human(each.cpu()),
                        each.spin > sim::Nanoseconds{0} ? fmt::format(", {} of it spinning", human(each.spin)) : "",
                        each.involuntary_switches);
    used += each.cpu();
    spun += each.spin;
  }
  const auto percent = [&](sim::Nanoseconds part) {
    const double all = static_cast<double>(scenario.machine.cpus) * static_cast<double>(result.sim_time.count());
    return 100 * static_cast<double>(part.count()) / all;
  };
  return text +
         fmt::format("    together {:.1f} % of {} CPUs{}\n", percent(used), scenario.machine.cpus,
                     spun > sim::Nanoseconds{0} ? fmt::format(", {:.1f} % spinning for a lock", percent(spun)) : "");
}

}  // namespace

std::string run_report(const models::Scenario& scenario, const models::Result& result) {
  const Comparison alone(scenario, {{result}});
  std::string text = hidden_stalls(alone) + table(alone, page_width()) + "\n";
  if (result.outcome == models::Outcome::out_of_memory) {
    text += bold("OUT OF MEMORY") +
            fmt::format(" after {}: {}\n\n", human(result.sim_time), out_of_memory_reason(result.memory));
  }
  if (const std::string blame = blame_lines(alone); !blame.empty()) {
    text += bold("What the slowest spend their time on") + "\n" + blame + "\n";
  }
  if (on_terminal()) {
    constexpr std::size_t kMostCurves = 5;
    const std::string figure = percentile_figure(slowest_curves(alone, 0, kMostCurves), page_width(), colour_wanted());
    if (!figure.empty()) text += bold("The tails of the slowest, over the whole run") + "\n" + figure + "\n";
  }
  if (const std::string gaps = closed_loop_gaps(alone); !gaps.empty()) {
    text += bold("Closed and open loops") + "\n" + gaps + "\n";
  }
  if (const std::string calls = calls_table(result); !calls.empty()) text += bold("System calls") + "\n" + calls + "\n";
  text += lock_report(result, page_width());
  if (const std::string hung = watchdog_report(scenario.policies.front(), result); !hung.empty()) {
    text += bold("khungtaskd would have said") + "\n" + hung + "\n";
  }
  text += bold("CPUs") + "\n" + cpus(scenario, result) + "\n";
  text += bold("Memory") + "\n" + memory(result.memory) + "\n";
  std::uint64_t left_out = 0;
  for (const models::ClassResult& each : result.classes) left_out += each.warm_up;
  text += fmt::format("Left out as warm-up: the first {}, {} requests; those under way at the end took {} more.\n",
                      human(result.warm_up), left_out, human(result.cool_down));
  const double seconds = std::chrono::duration<double>(result.wall).count();
  return text + fmt::format("Simulated {} in {:.2f} s: {} events, {:.2f} million a second; {} preemptions.\n",
                            human(result.sim_time), seconds, result.events,
                            static_cast<double>(result.events) / 1e6 / seconds, result.preemptions);
}

std::string calls_table(const models::Result& result) {
  const std::string head = fmt::format("    {:<14} {:<16} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "class", "call", "calls",
                                       "a second", "mean", "longest", "of");
  std::string text;
  const double seconds = std::chrono::duration<double>(result.sim_time).count();
  for (const models::ClassResult& each : result.classes) {
    for (const auto& [name, call] : each.calls) {
      if (call.duration.empty()) {
        text += fmt::format("    {:<14} {:<16} had not returned when the run ended\n", each.name, name);
        continue;
      }
      std::uint64_t failed = 0;
      for (const auto& [error, count] : call.errors) failed += count;
      const models::PageCount pages(static_cast<std::int64_t>(call.pages));
      text += fmt::format(
          "    {:<14} {:<16} {:>8} {:>8.3g} {:>8} {:>8} {:>8}{}\n", each.name, name, call.duration.count(),
          static_cast<double>(call.duration.count()) / seconds, mean_text(call.duration), max_text(call.duration),
          call.pages == 0 ? "-" : human(bytes_of(pages)), failed == 0 ? "" : fmt::format(", {} failed", failed));
    }
  }
  return text.empty() ? text : head + text;
}

std::string heading(const models::Scenario& scenario) {
  const std::string& of = scenario.machine.scheduler.of;
  std::string text = fmt::format("{}\n{}\n{} CPUs ({}{}), {} of memory, {} free at the start; seed {}\n",
                                 bold(scenario.name), scenario.about, scenario.machine.cpus, scenario.machine.name,
                                 of.empty() ? "" : ", scheduler of " + of, human(scenario.memory.size),
                                 human(scenario.memory.free), scenario.seed);
  for (const models::Policy& policy : scenario.policies) {
    for (const std::string& note : policy.notes) text += fmt::format("{}: {}\n", policy.name, note);
  }
  return text;
}

}  // namespace experiments
