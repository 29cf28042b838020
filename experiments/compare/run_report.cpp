#include "experiments/compare/run_report.h"

#include <fmt/format.h>

#include <cmath>

#include "experiments/base/quantity.h"
#include "experiments/base/terminal.h"
#include "experiments/compare/comparison.h"
#include "experiments/compare/text_figure.h"
#include "experiments/compare/verdict.h"
#include "experiments/run/result_json.h"

namespace experiments {

namespace {

std::string mean_text(const sim::Histogram& histogram) {
  return histogram.empty() ? "-" : human(std::chrono::duration<double, std::nano>(histogram.mean()));
}

std::string max_text(const sim::Histogram& histogram) { return histogram.empty() ? "-" : human(histogram.max()); }

std::string calls(const models::Result& result) {
  std::string text;
  for (const auto& [name, call] : result.calls()) {
    if (call.duration.empty()) {
      text += fmt::format("    {:<10} had not returned when the run ended\n", name);
      continue;
    }
    std::uint64_t failed = 0;
    for (const auto& [error, count] : call.errors) failed += count;
    text += fmt::format("    {:<10} {:>6} calls, mean {:>8}, longest {:>8}, {} pages asked for, {} failed\n", name,
                        call.duration.count(), mean_text(call.duration), max_text(call.duration), call.pages, failed);
  }
  return text;
}

std::string mode_line(const char* name, const models::RwsemStatistics::Mode& mode) {
  return fmt::format("    {:<6} {:>10} acquisitions, {:>9} contended, mean wait {:>8}, longest {:>8}\n", name,
                     mode.acquisitions, mode.contended, mean_text(mode.wait), max_text(mode.wait));
}

// How often holders had the semaphore and no CPU; empty where they always had one.
std::string off_cpu_line(const char* mode, const models::RwsemStatistics::OffCpu& off_cpu) {
  if (off_cpu.preempted.empty() && off_cpu.granted.empty()) return "";
  return fmt::format(
      "    {:<6} holders without a CPU: preempted or throttled {} times, mean {}, longest {}; granted it in their "
      "sleep {} "
      "times, until they ran mean {}, longest {}\n",
      mode, off_cpu.preempted.count(), mean_text(off_cpu.preempted), max_text(off_cpu.preempted),
      off_cpu.granted.count(), mean_text(off_cpu.granted), max_text(off_cpu.granted));
}

std::string lock(const models::LockResult& result, const std::vector<std::string>& classes) {
  const models::RwsemStatistics& statistics = result.statistics;
  std::string text = bold(fmt::format("mmap_sem of {}", result.process)) + "\n" + mode_line("read", statistics.read) +
                     mode_line("write", statistics.write);
  for (const auto& [holds, lengths] : statistics.hold) {
    text += fmt::format("    held for {:<5} by {:<15} in {:<9} {:>10} times, mean {:>8}, longest {:>8}\n",
                        to_string(holds.mode), class_name(holds.holder, classes), to_string(holds.call),
                        lengths.count(), mean_text(lengths), max_text(lengths));
  }
  text += off_cpu_line("read", statistics.read_off_cpu) + off_cpu_line("write", statistics.write_off_cpu);
  return text +
         fmt::format(
             "    {} hand-offs, {} past a waiting writer; longest queue {}; {} convoys with {} readers, the largest "
             "{}, the longest {}\n",
             statistics.handoffs, statistics.writer_bypasses, statistics.longest_queue, statistics.convoys,
             statistics.convoy_waits, statistics.largest_convoy, max_text(statistics.convoy_lengths)) +
         fmt::format("    in the locker's windows the map changed {} times: {} reported as -EAGAIN, {} missed\n",
                     result.vma_changed, result.eagain, result.vma_change_missed);
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

// CPU time, and who was made to give a CPU away.
std::string cpus(const models::Scenario& scenario, const models::Result& result) {
  std::string text;
  for (const models::ClassResult& each : result.classes) {
    text += fmt::format("    {:<18} {:>8} of CPU time, {} involuntary switches\n", each.name, human(each.cpu),
                        each.involuntary_switches);
  }
  const double all = static_cast<double>(scenario.machine.cpus) * static_cast<double>(result.sim_time.count());
  sim::Nanoseconds used{};
  for (const models::ClassResult& each : result.classes) used += each.cpu;
  return text + fmt::format("    together {:.1f} % of {} CPUs\n", 100 * static_cast<double>(used.count()) / all,
                            scenario.machine.cpus);
}

}  // namespace

std::string run_report(const models::Scenario& scenario, const models::Result& result) {
  const Comparison alone(scenario, {{result}});
  std::string text = table(alone, page_width()) + "\n";
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
  if (!result.calls().empty()) text += bold("The locker's calls") + "\n" + calls(result) + "\n";
  for (const models::LockResult& each : result.locks) text += lock(each, result.class_names()) + "\n";
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
