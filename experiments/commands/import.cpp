#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/command_line.h"
#include "experiments/base/diagnostics.h"
#include "experiments/base/output_file.h"
#include "experiments/base/shell.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/scenario_options.h"
#include "experiments/commands/timeline_options.h"
#include "experiments/compare/autopsy.h"
#include "experiments/host/trace/recorded_timeline.h"
#include "experiments/host/trace/replay_check.h"
#include "experiments/host/trace/replay_scenario.h"
#include "experiments/host/trace/trace_analysis.h"
#include "experiments/host/trace/trace_reader.h"
#include "experiments/host/trace/trace_report.h"
#include "experiments/host/trace/traced_kernel.h"
#include "experiments/run/execute.h"
#include "experiments/run/result_json.h"
#include "experiments/scenario/kernel_table.h"
#include "experiments/scenario/run_spec.h"

namespace experiments {

namespace {

/// Without events of mmap_lock there is nothing to tell.
void refuse_without_locks(const std::string& path, const TraceContents& contents) {
  if (contents.count(TraceEvent::Kind::acquire_returned) > 0) return;
  throw InputError({{path, 0, 0, "",
                     fmt::format("expected events of mmap_lock, found none among {}: record them with `perf record -e "
                                 "'mmap_lock:*' -a`",
                                 contents.all())}});
}

void add_options(CommandLine& line) {
  line.text("output,o", "DIR", "write a scenario that replays it, DIR/scenario.yaml, and its recordings");
  line.text("kernel", "VERSION", "the kernel that was recorded, where the trace does not tell");
  line.flag("holds", "replay every call as the hold of mmap_lock that it was, not by its model");
  line.flag("check", "run the replay with five seeds, and hold what everybody waited against the recording");
  line.text("json", "FILE", "write what it came to as JSON, as `run` does");
  add_timeline_options(line);
  add_jobs_option(line);
  constexpr int kWorst = 5;
  line.number("worst", "N", "tell of the N longest requests, one by one", kWorst);
}

void check_options(const CommandLine& line) {
  check_timeline_options(line);
  for (const char* const option : {"kernel", "holds", "check"}) {
    if (line.has(option) && !line.has("output")) throw UsageError(fmt::format("--{}: expected -o DIR, too", option));
  }
  const auto kernel = line.find("kernel");
  if (!kernel) return;
  const auto found = find_kernel(*kernel);
  if (!found) {
    throw UsageError(fmt::format("--kernel: expected a kernel such as linux-6.12, found '{}'{}", *kernel,
                                 did_you_mean(*kernel, kernel_names())));
  }
  if (!*found) throw UsageError("--kernel: " + found->message());
}

/// The kernel that was recorded. Throws UsageError where neither the trace nor the user tells.
std::string kernel_of(const CommandLine& line, const TraceGaps& gaps) {
  if (const auto kernel = line.find("kernel")) return *kernel;
  if (const auto kernel = kernel_of_offset(gaps.lock_offset)) return *kernel;
  throw UsageError("the trace does not tell its kernel: expected --kernel VERSION, such as --kernel linux-6.12");
}

/// The address spaces that somebody waited for, and the first one in any case: the others change nothing for anybody.
std::map<std::uint64_t, std::string> worth_replaying(std::map<std::uint64_t, std::string> processes,
                                                     const models::Result& result) {
  std::erase_if(processes, [&](const auto& process) {
    const auto is_of = [&](const models::LockResult& lock) { return lock.process == process.second; };
    const auto lock = std::find_if(result.locks.begin(), result.locks.end(), is_of);
    return lock != result.locks.begin() && lock->statistics.total_wait == sim::Nanoseconds{0};
  });
  return processes;
}

Json json_of(const models::Result& result, const TraceContents& contents, const TraceGaps& gaps, std::size_t worst) {
  Json json = to_json(result);
  json["trace"] = to_json(contents, gaps);
  Json& longest = json["longest"] = Json::array();
  for (const LongestRequest& request : longest_requests(result, worst)) {
    Json steps = Json::array();
    for (const LongestRequest::Step& step : request.steps) {
      steps.push_back({{"after_ns", step.after.count()}, {"ns", step.length.count()}, {"what", step.what}});
    }
    longest.push_back({{"task", request.task},
                       {"latency_ns", request.latency.count()},
                       {"due_ns", request.due.count()},
                       {"during", request.during},
                       {"steps", std::move(steps)},
                       {"shorter", request.shorter}});
  }
  return json;
}

void print_check(const std::string& scenario, const models::Result& recorded, int workers) {
  constexpr std::size_t kSeeds = 5;
  const ScenarioFile file = read_run({scenario, std::nullopt, {}, std::nullopt});
  const std::vector<models::Result> replays = replicate(file.scenario, kSeeds, workers, {});
  print_folded(fmt::format("\n{}\n{}", bold("The replay beside the recording"), replay_check(recorded, replays)));
}

}  // namespace

int command_import(const Arguments& arguments) {
  CommandLine line("import TRACE [OPTION]...",
                   "Tells what a trace of mmap_lock shows: who held it and waited for it, as `run` tells it of a\n"
                   "scenario, and makes a scenario that replays it. TRACE is the text of perf script, of\n"
                   "/sys/kernel/tracing/trace or of trace-cmd report, packed (gzip, xz, zstd) or not, or - for what\n"
                   "comes in: perf script --ns | mlocksim import -",
                   "TRACE", 1);
  add_options(line);
  if (!line.parse(arguments)) return kOk;
  const auto worst = static_cast<std::size_t>(positive(line, "worst", static_cast<int>(kMostAutopsies)));
  const int workers = jobs_of(line);
  check_options(line);
  for (const char* const option : {"json", "trace"}) {
    if (const auto path = line.find(option)) refuse_own_input(line.first(), *path, option);
  }
  std::optional<OutputFile> json;
  if (const auto path = line.find("json")) json.emplace(*path);
  std::optional<OutputFile> trace;
  if (const auto path = line.find("trace")) trace.emplace(*path);
  std::optional<OutputFolder> folder;
  if (const auto path = line.find("output")) folder.emplace(*path);

  const std::string path = line.first();
  const std::string name = std::filesystem::path(path).stem().string();
  std::optional<ElapsedProgress> progress(std::in_place, "reading");
  TraceReader reader(path);
  ReplayScenario replay;
  replay.as_holds(line.has("holds"));
  TraceAnalysis analysis(folder ? [&](const EndedRequest& ended) { replay.add(ended); }
                                : std::function<void(const EndedRequest&)>{});
  std::optional<RecordedTimeline> timeline;
  if (trace) {
    timeline.emplace(trace->stream(), name, std::vector{timeline_window(line)}, timeline_limit(line));
    analysis.watch([&](const TracedThread& thread, sim::Time now) { timeline->update(thread, now); });
  }
  while (const auto event = reader.next()) analysis.add(*event);
  progress.reset();
  const TraceContents& contents = reader.contents();
  refuse_without_locks(path, contents);
  const models::Result result = analysis.finish(name);

  std::map<std::string, std::string> files;
  if (folder) {
    files = replay.files({name, std::filesystem::path(path).filename().string(), kernel_of(line, analysis.gaps()),
                          contents.cpus, analysis.wake_ups()},
                         analysis.classes().names(), worth_replaying(analysis.process_names(), result));
  }
  print_folded(trace_report(contents, analysis.gaps(), result, worst));
  if (json) json->commit(json_of(result, contents, analysis.gaps(), worst).dump(2) + "\n");
  if (timeline) {
    timeline->finish(sim::Time{result.sim_time}, analysis.process_names());
    trace->commit();
    warn_of_empty_window(line, result.sim_time);
    tell_left_out(timeline->left_out_from(), result.sim_time, "--trace-window FROM..TO shows");
  }
  if (!folder) return kOk;
  folder->commit(files);
  const std::string scenario = (std::filesystem::path(*line.find("output")) / ReplayScenario::kScenarioFile).string();
  if (line.has("check")) print_check(scenario, result, workers);
  if (replay.left_out() > 0) tell_note(fmt::format("the last {} requests are not replayed\n", replay.left_out()));
  fmt::print("\nNow: mlocksim explain {}\n", shell_word(scenario));
  return kOk;
}

}  // namespace experiments
