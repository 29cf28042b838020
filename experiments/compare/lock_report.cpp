#include "experiments/compare/lock_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "experiments/base/quantity.h"
#include "experiments/base/terminal.h"
#include "experiments/compare/histogram_text.h"
#include "experiments/run/result_json.h"

namespace experiments {

namespace {

using models::Phase;
using models::RwsemStatistics;
using Names = std::vector<std::string>;

constexpr std::size_t kIndent = 4;

/// `faulter read fault`, as a wait for it is blamed on it; a mutex has no modes, and is asked for in user mode.
std::string who(const models::LockResult& lock, models::ClassId id, models::LockMode mode, Phase phase,
                const Names& classes) {
  if (!lock.mutex.empty()) return class_name(id, classes);
  return fmt::format("{} {} {}", class_name(id, classes), to_string(mode), to_string(phase));
}

std::size_t who_width(const models::LockResult& lock, const Names& classes) {
  std::size_t width = 24;
  for (const auto& [asker, waits] : lock.statistics.asked) {
    width = std::max(width, who(lock, asker.asker, asker.mode, asker.phase, classes).size());
  }
  for (const auto& [holds, lengths] : lock.statistics.hold) {
    width = std::max(width, who(lock, holds.holder, holds.mode, holds.call, classes).size());
  }
  return width;
}

/// `4 from 65.5 us, 12 from 131 us`: how many waits were at least so long, and less than twice as long.
std::string by_power_of_two(const sim::Histogram& waits) {
  std::vector<std::string> parts;
  for (const auto& [from, count] : waits.by_power_of_two())
    parts.push_back(fmt::format("{} from {}", count, human(from)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string row(std::size_t width, const std::string& name, std::uint64_t count, const std::string& contended,
                const std::string& total, const std::string& mean, const std::string& longest) {
  return fmt::format("{:{}}{:<{}} {:>9} {:>8} {:>8} {:>8} {:>8}\n", "", kIndent, name, width, count, contended, total,
                     mean, longest);
}

std::string waits_table(const models::LockResult& lock, std::size_t name_width, std::size_t width,
                        const Names& classes) {
  std::string text = fmt::format("{:{}}{:<{}} {:>9} {:>8} {:>8} {:>8} {:>8}\n", "", kIndent, "asked for by", name_width,
                                 "n", "waited", "together", "mean", "longest");
  for (const auto& [asker, waits] : lock.statistics.asked) {
    const std::string name = who(lock, asker.asker, asker.mode, asker.phase, classes);
    const bool waited = waits.contended() > 0;
    text += row(name_width, name, waits.acquisitions, waited ? std::to_string(waits.contended()) : "-",
                waits.wait.empty() ? "-" : human(waits.wait.total()), mean_text(waits.wait),
                waited ? human(waits.longest()) : "-");
    if (!waits.wait.empty()) {
      text += std::string(kIndent + 4, ' ') + wrapped("waits: " + by_power_of_two(waits.wait), width, kIndent + 4);
    }
    if (waits.waiting > 0) {
      text += fmt::format("{:{}}{} waited still when the run ended, the longest for {}\n", "", kIndent + 4,
                          waits.waiting, human(waits.longest_waiting));
    }
  }
  return text;
}

std::string holds_table(const models::LockResult& lock, std::size_t name_width, const Names& classes) {
  std::string text;
  for (const auto& [holds, lengths] : lock.statistics.hold) {
    if (text.empty()) {
      text = fmt::format("{:{}}{:<{}} {:>9} {:>8} {:>8} {:>8} {:>8}\n", "", kIndent, "held by", name_width, "n", "",
                         "together", "mean", "longest");
    }
    text += row(name_width, who(lock, holds.holder, holds.mode, holds.call, classes), lengths.count(), "",
                human(lengths.total()), mean_text(lengths), max_text(lengths));
  }
  return text;
}

// How often holders had the semaphore and no CPU; empty where they always had one.
std::string off_cpu(const char* mode, const RwsemStatistics::OffCpu& off_cpu) {
  if (off_cpu.preempted.empty() && off_cpu.granted.empty()) return "";
  return fmt::format(
      "{} holders without a CPU: preempted or throttled {} times, mean {}, longest {}; granted it in their sleep {} "
      "times, until they ran mean {}, longest {}",
      mode, off_cpu.preempted.count(), mean_text(off_cpu.preempted), max_text(off_cpu.preempted),
      off_cpu.granted.count(), mean_text(off_cpu.granted), max_text(off_cpu.granted));
}

std::string queue_of(const RwsemStatistics& statistics) {
  return fmt::format(
      "{} hand-offs, {} past a waiting writer; longest queue {}; {} convoys with {} readers, the largest {}, the "
      "longest {}",
      statistics.handoffs, statistics.writer_bypasses, statistics.longest_queue, statistics.convoys,
      statistics.convoy_waits, statistics.largest_convoy, max_text(statistics.convoy_lengths));
}

std::string report(const models::LockResult& lock, std::size_t width, const Names& classes) {
  const RwsemStatistics& statistics = lock.statistics;
  const std::size_t name_width = who_width(lock, classes);
  const std::string title = lock.mutex.empty() ? "mmap_sem" : fmt::format("The mutex {}", lock.mutex);
  std::string text = bold(fmt::format("{} of {}", title, lock.process)) + "\n" +
                     waits_table(lock, name_width, width, classes) + holds_table(lock, name_width, classes);
  std::vector<std::string> notes{off_cpu("read", statistics.read_off_cpu), off_cpu("write", statistics.write_off_cpu),
                                 queue_of(statistics)};
  if (lock.vma_changed > 0) {
    notes.push_back(fmt::format("in the locker's windows the map changed {} times: {} reported as -EAGAIN, {} missed",
                                lock.vma_changed, lock.eagain, lock.vma_change_missed));
  }
  for (const std::string& note : notes) {
    if (!note.empty()) text += std::string(kIndent, ' ') + wrapped(note, width, kIndent);
  }
  return text;
}

// --- the watchdog -------------------------------------------------------------------------------------------------

constexpr std::chrono::seconds kHungTaskTimeout{120};

/// Since when a wait for mmap_lock in that phase can be killed; nothing: it cannot.
std::optional<models::KernelVersion> killable_since(Phase call, models::LockMode mode) {
  using Version = models::KernelVersion;
  switch (call) {
    case Phase::exit:
      return std::nullopt;
    case Phase::fault:
    case Phase::stack:
      return Version{6, 5};  // lock_mm_and_find_vma
    case Phase::proc_read:
    case Phase::remote_read:
      return Version{5, 3};
    default:
      // Who walks under read (populate, madvise, mincore, get_mempolicy) asks for it with mmap_read_lock to this day.
      return mode == models::LockMode::write ? std::optional(Version{4, 7}) : std::nullopt;
  }
}

}  // namespace

std::string lock_report(const models::Result& result, std::size_t width) {
  std::string text;
  for (const models::LockResult& lock : result.locks) text += report(lock, width, result.class_names()) + "\n";
  return text;
}

std::string watchdog_report(const models::Policy& policy, const models::Result& result) {
  std::string text;
  const Names classes = result.class_names();
  for (const models::LockResult& lock : result.locks) {
    if (!lock.mutex.empty()) continue;  // a futex is waited for interruptibly
    for (const auto& [asker, waits] : lock.statistics.asked) {
      if (waits.longest() <= kHungTaskTimeout) continue;
      const auto killable = killable_since(call_of(asker.phase), asker.mode);
      if (killable && policy.kernel && *policy.kernel >= *killable) continue;
      text +=
          fmt::format("    {} blocked for more than {} seconds{}: {} in {}\n", class_name(asker.asker, classes),
                      kHungTaskTimeout.count(), waits.longest() < 2 * kHungTaskTimeout ? " (if its round came)" : "",
                      human(waits.longest()), to_string(asker.phase));
    }
  }
  return text;
}

}  // namespace experiments
