#include "experiments/run_report.h"

#include <fmt/format.h>

#include <cmath>

#include "experiments/commands.h"
#include "experiments/comparison.h"
#include "experiments/quantity.h"

namespace experiments {

namespace {

std::string mean_of(const sim::Histogram& histogram) {
  return histogram.empty() ? "-" : human(std::chrono::duration<double, std::nano>(histogram.mean()));
}

std::string max_of(const sim::Histogram& histogram) { return histogram.empty() ? "-" : human(histogram.max()); }

std::string calls(const models::Result& result) {
  std::string text;
  for (const auto& [name, call] : result.calls) {
    std::uint64_t failed = 0;
    for (const auto& [error, count] : call.errors) failed += count;
    text += fmt::format("    {:<10} {:>6} calls, mean {:>8}, longest {:>8}, {} pages asked for, {} failed\n", name,
                        call.duration.count(), mean_of(call.duration), max_of(call.duration), call.pages, failed);
  }
  return text;
}

std::string mode_line(const char* name, const models::RwsemStatistics::Mode& mode) {
  return fmt::format("    {:<6} {:>10} acquisitions, {:>9} contended, mean wait {:>8}, longest {:>8}\n", name,
                     mode.acquisitions, mode.contended, mean_of(mode.wait), max_of(mode.wait));
}

std::string lock(const models::LockResult& result, const std::vector<std::string>& classes) {
  const models::RwsemStatistics& statistics = result.statistics;
  std::string text = bold(fmt::format("mmap_sem of {}", result.process)) + "\n" + mode_line("read", statistics.read) +
                     mode_line("write", statistics.write);
  for (const auto& [holds, lengths] : statistics.hold) {
    const std::string holder = holds.holder < 0 ? "kernel" : classes[static_cast<std::size_t>(holds.holder)];
    text += fmt::format("    held for {:<5} by {:<15} in {:<9} {:>10} times, mean {:>8}, longest {:>8}\n",
                        to_string(holds.mode), holder, to_string(holds.call), lengths.count(), mean_of(lengths),
                        max_of(lengths));
  }
  return text +
         fmt::format("    {} hand-offs; longest queue {}; {} convoys with {} readers, {} in all\n", statistics.handoffs,
                     statistics.longest_queue, statistics.convoys, statistics.convoy_waits,
                     human(statistics.convoy_time)) +
         fmt::format("    in the locker's windows the map changed {} times: {} reported as -EAGAIN, {} missed\n",
                     result.vma_changed, result.eagain, result.vma_change_missed);
}

std::string memory(const models::MemoryResult& memory) {
  const models::ZoneStatistics& statistics = memory.statistics;
  const auto size = [](models::PageCount pages) { return human(bytes_of(pages)); };
  const auto count = [](std::uint64_t pages) {
    return human(bytes_of(models::PageCount(static_cast<std::int64_t>(pages))));
  };
  return fmt::format(
      "    watermarks {} / {} / {}; free never below {}, at the end {}\n"
      "    allocated {}; reclaimed by kswapd {} ({} wake-ups), directly {} in {} stalls, mean {}, longest {}\n",
      size(memory.marks.min), size(memory.marks.low), size(memory.marks.high), size(statistics.lowest_free),
      size(memory.at_end.free), count(statistics.allocated), count(statistics.kswapd_reclaimed),
      statistics.kswapd_wakeups, count(statistics.direct_reclaimed), statistics.direct_stalls.count(),
      mean_of(statistics.direct_stalls), max_of(statistics.direct_stalls));
}

}  // namespace

std::string run_report(const models::Scenario& scenario, const models::Result& result) {
  const Comparison alone(scenario, {{result}});
  std::string text = table(alone, page_width()) + "\n";
  if (result.outcome == models::Outcome::out_of_memory) {
    text += bold("OUT OF MEMORY") + fmt::format(" after {}: nothing was left to reclaim\n\n", human(result.sim_time));
  }
  if (const std::string blame = blame_lines(alone); !blame.empty()) {
    text += bold("What the slowest spend their time on") + "\n" + blame + "\n";
  }
  text += bold("The locker's calls") + "\n" + calls(result) + "\n";
  for (const models::LockResult& each : result.locks) text += lock(each, result.class_names()) + "\n";
  text += bold("Memory") + "\n" + memory(result.memory) + "\n";
  const double seconds = std::chrono::duration<double>(result.wall).count();
  return text + fmt::format("Simulated {} in {:.2f} s: {} events, {:.2f} million a second; {} preemptions.\n",
                            human(result.sim_time), seconds, result.events,
                            static_cast<double>(result.events) / 1e6 / seconds, result.preemptions);
}

}  // namespace experiments
