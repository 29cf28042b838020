#include "experiments/host/trace/trace_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "experiments/base/quantity.h"
#include "experiments/base/terminal.h"
#include "experiments/compare/autopsy.h"
#include "experiments/compare/comparison.h"
#include "experiments/compare/lock_report.h"
#include "experiments/compare/run_report.h"
#include "experiments/host/trace/traced_kernel.h"

namespace experiments {

namespace {

using Kind = TraceEvent::Kind;

constexpr std::array<std::string_view, kTraceEventKinds> kKindNames{"other",
                                                                    "mmap_lock_start_locking",
                                                                    "mmap_lock_acquire_returned",
                                                                    "mmap_lock_released",
                                                                    "contention_begin",
                                                                    "contention_end",
                                                                    "page_fault",
                                                                    "sys_enter",
                                                                    "sys_exit",
                                                                    "sched_switch",
                                                                    "sched_wakeup",
                                                                    "lost"};

std::string offset_text(std::int64_t offset) {
  if (offset < 0) return "";
  const auto kernel = kernel_of_offset(offset);
  return fmt::format("; mmap_lock lies {:#x} behind its mm{}", offset, kernel ? ", as in " + *kernel : "");
}

std::string head(const TraceContents& contents, const TraceGaps& gaps, const models::Result& result) {
  const std::size_t spaces = result.locks.size();
  return bold(result.scenario) + "\n" +
         wrapped(fmt::format("{} events of {}, over {}; {} address space{}{}", contents.all(), contents.form,
                             human(contents.length()), spaces, spaces == 1 ? "" : "s", offset_text(gaps.lock_offset)),
                 page_width());
}

/// Tables of the first few: those that were waited for longest.
std::string locks(const models::Result& result) {
  constexpr std::size_t kMost = 5;
  models::Result shown;
  for (const models::ClassResult& each : result.classes) shown.classes.emplace_back().name = each.name;
  shown.locks.assign(result.locks.begin(),
                     result.locks.begin() + static_cast<std::ptrdiff_t>(std::min(kMost, result.locks.size())));
  std::string text = lock_report(shown, page_width());
  if (result.locks.size() > kMost) {
    text += fmt::format("{} more address spaces, each waited for less than these: --json has them\n\n",
                        result.locks.size() - kMost);
  }
  return text;
}

}  // namespace

std::vector<std::string> shortcomings(const TraceContents& contents, const TraceGaps& gaps) {
  std::vector<std::string> all;
  const auto without = [&](Kind kind) { return contents.count(kind) == 0; };
  if (without(Kind::contention_begin))
    all.emplace_back(
        "no lock:contention_begin: who slept and who only spun is not told apart, and a wait for a holder "
        "that the trace does not show is not seen");
  if (without(Kind::page_fault))
    all.emplace_back(
        "no exceptions:page_fault_*: who asks for read outside a known call counts as a fault, and "
        "begins when it asks");
  if (without(Kind::sys_enter))
    all.emplace_back("no syscalls: what holds and waits are for is `other`, unless they are faults");
  if (without(Kind::sched_switch))
    all.emplace_back(
        "no sched:sched_switch: what a holder is about meanwhile is not known, and waiting for a CPU "
        "counts as work, or as waiting for the lock");
  constexpr int kNanoseconds = 9;
  if (contents.decimals < kNanoseconds)
    all.emplace_back(fmt::format("times with {} decimals: nothing is known better than to {}", contents.decimals,
                                 contents.decimals == 6 ? "a microsecond" : "that"));
  if (contents.lost_any)
    all.emplace_back(fmt::format("{} were lost: holds and waits around them are missing or too long",
                                 contents.lost > 0 ? fmt::format("{} events", contents.lost) : "events"));
  if (gaps.lost_releases + gaps.lost_acquires > 0)
    all.emplace_back(fmt::format("{} holds without their release and {} requests without their end: events are missing",
                                 gaps.lost_releases, gaps.lost_acquires));
  if (gaps.released_only + gaps.open_holds > 0)
    all.emplace_back(fmt::format("{} holds had begun before the trace and {} outlast it: they are not counted",
                                 gaps.released_only, gaps.open_holds));
  return all;
}

std::string trace_report(const TraceContents& contents, const TraceGaps& gaps, const models::Result& result,
                         std::size_t worst) {
  std::string text = head(contents, gaps, result);
  for (const std::string& each : shortcomings(contents, gaps)) text += "  ! " + wrapped(each, page_width(), 4);
  if (contents.failed_tries > 0) text += fmt::format("    {} tries for mmap_lock failed\n", contents.failed_tries);
  if (gaps.faults > 0) {
    text += fmt::format("    {} of {} page faults asked for mmap_lock\n", gaps.faults_with_lock, gaps.faults);
  }
  models::Scenario recorded;
  recorded.policies.emplace_back().name = result.policy;
  const Comparison alone(recorded, {{result}});
  text += "\n" + table(alone, page_width()) + "\n";
  if (const std::string blame = blame_lines(alone); !blame.empty()) {
    text += bold("What the slowest spend their time on") + "\n" + blame + "\n";
  }
  if (const std::string calls = calls_table(result); !calls.empty()) text += bold("System calls") + "\n" + calls + "\n";
  return text + locks(result) + autopsy(result, worst);
}

Json to_json(const TraceContents& contents, const TraceGaps& gaps) {
  Json events = Json::object();
  for (std::size_t kind = 0; kind < kTraceEventKinds; ++kind) {
    if (contents.events[kind] > 0) events[std::string(kKindNames[kind])] = contents.events[kind];
  }
  Json json{{"form", contents.form},
            {"decimals", contents.decimals},
            {"length_ns", contents.length().count()},
            {"events", std::move(events)},
            {"lock_offset", gaps.lock_offset < 0 ? Json(nullptr) : Json(gaps.lock_offset)},
            {"failed_tries", contents.failed_tries},
            {"faults_with_lock", gaps.faults_with_lock},
            {"other_locks_waited_for", gaps.other_locks},
            {"lost", contents.lost}};
  json["shortcomings"] = shortcomings(contents, gaps);
  return json;
}

}  // namespace experiments
