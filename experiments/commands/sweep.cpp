#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "experiments/base/command_line.h"
#include "experiments/base/interruption.h"
#include "experiments/base/quantity.h"
#include "experiments/base/shell.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/study/point_expectations.h"
#include "experiments/study/study_file.h"
#include "experiments/study/study_results.h"
#include "experiments/study/sweep.h"

namespace experiments {

namespace {

Shard shard_of(const std::string& text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  const auto number = std::from_chars(text.data(), end, shard.number);
  const bool slash = number.ec == std::errc{} && number.ptr != end && *number.ptr == '/';
  const auto of = slash ? std::from_chars(number.ptr + 1, end, shard.of) : number;
  const bool whole = slash && of.ec == std::errc{} && of.ptr == end;
  if (whole && shard.number >= 1 && shard.number <= shard.of) return shard;
  throw UsageError(fmt::format("--shard: expected K/N with K from 1 to N, such as 2/8, found '{}'", text));
}

SweepOptions options_of(const CommandLine& line) {
  SweepOptions options;
  options.workers = jobs_of(line);
  if (const auto shard = line.find("shard")) options.shard = shard_of(*shard);
  if (const auto timeout = line.find("timeout")) {
    const auto duration = parse_duration(*timeout);
    if (!duration) throw UsageError("--timeout: " + duration.message());
    if (duration->count() == 0) throw UsageError("--timeout: expected a duration above zero");
    options.timeout = *duration;
  }
  options.retry = line.has("retry");
  return options;
}

/// Tells how far a sweep is: a bar on a terminal, a line at every tenth of the way elsewhere.
class Reporter {
 public:
  explicit Reporter(int workers) : workers_(workers), terminal_(progress_wanted()) {}

  void show(const SweepProgress& progress) {
    if (!progress.failure.empty()) {
      tell(fmt::format("{}failed: {}\n", terminal_ ? "\r\033[K" : "", progress.failure));
    }
    if (terminal_) {
      show_bar(progress);
    } else {
      show_line(progress);
    }
  }

  void end() const {
    if (terminal_) tell("\r\033[K");
  }

 private:
  /// Empty where there is nothing left, or nothing to tell it from.
  [[nodiscard]] std::string remaining(const SweepProgress& progress) const {
    const std::size_t run_here = progress.done - progress.before;
    if (run_here == 0 || progress.done == progress.all) return {};
    const auto each = progress.wall / static_cast<std::int64_t>(run_here) / workers_;
    return fmt::format(", {} to go", human(each * static_cast<std::int64_t>(progress.all - progress.done)));
  }

  void show_bar(const SweepProgress& progress) const {
    constexpr std::size_t kWidth = 30;
    const std::size_t filled = kWidth * progress.done / std::max<std::size_t>(1, progress.all);
    tell(fmt::format("\r[{:#<{}}{:.<{}}] {} of {} runs{}{}\033[K", "", filled, "", kWidth - filled, progress.done,
                     progress.all, remaining(progress), failures(progress)));
  }

  void show_line(const SweepProgress& progress) {
    const std::size_t tenth = 10 * progress.done / std::max<std::size_t>(1, progress.all);
    if (tenth == tenth_) return;
    tenth_ = tenth;
    tell_note(fmt::format("{} of {} runs{}{}\n", progress.done, progress.all, remaining(progress), failures(progress)));
  }

  static std::string failures(const SweepProgress& progress) {
    return progress.failed == 0 ? "" : fmt::format(", {} failed", progress.failed);
  }

  int workers_;
  bool terminal_;
  std::size_t tenth_ = 0;
};

/// Checks what the scenarios of the points that have been run expect, and prints it; returns whether all of that holds.
bool check_points(const std::vector<PointRuns>& points, Store& store) {
  if (std::all_of(points.begin(), points.end(), [](const auto& each) { return each.expectations.empty(); }))
    return true;
  const StudyResults results = read_results(store);
  bool all = true;
  for (const PointOutcomes& outcomes : results.points) {
    const std::vector<ExpectationCheck> checks = check_expectations(points[outcomes.number].expectations, outcomes);
    const bool none = std::all_of(checks.begin(), checks.end(),
                                  [](const ExpectationCheck& check) { return check.holds == Holds::not_checked; });
    if (none) continue;
    print_folded(fmt::format("\n{}. {}", title_of(results, outcomes), to_text(checks)));
    all = all_hold(checks) && all;
  }
  return all;
}

/// How many runs of the study ran out of memory.
std::int64_t out_of_memory_in(Store& store) {
  return store.integer(
      "SELECT count(*) FROM run WHERE outcome = 'out_of_memory' AND key IN (SELECT run FROM point_run)");
}

}  // namespace

int command_sweep(const Arguments& arguments) {
  CommandLine line(
      "sweep STUDY -o DIR [OPTION]...",
      "Runs every point of a study under every policy, each run in a process of its own, and keeps the results in\n"
      "DIR/study.sqlite. May be stopped at any moment, by whatever means: started again, it goes on where it was, and\n"
      "after an edit of the study it runs only what is new. `mlocksim results DIR` shows what has been found.",
      "STUDY", 1);
  line.text("output,o", "DIR", "where the results are kept");
  add_jobs_option(line);
  line.flag("smoke", "the small size of the study");
  line.text("shard", "K/N", "the K-th of N parts of the study; `mlocksim merge` puts the parts together");
  line.text("timeout", "DURATION", "a run that takes longer has failed");
  line.flag("retry", "run again what has failed");
  if (!line.parse(arguments)) return kOk;
  const auto output = line.find("output");
  if (!output) throw UsageError("missing -o DIR: where the results are kept");
  const SweepOptions options = options_of(line);
  const auto file = find_config(ConfigKind::studies, line.first(), {""});
  if (!file) throw UsageError(file.message());

  StudyPlan plan(read_study(*file, line.has("smoke")));
  std::vector<PointRuns> points;
  plan.read_runs([&](PointRuns runs) { points.push_back(std::move(runs)); });
  Store store(*output, Store::Mode::write);
  tell_when_interrupted("\nstopped; what has been run is kept, and the same command goes on\n");
  Reporter reporter(options.workers);
  const auto start = std::chrono::steady_clock::now();
  const SweepProgress progress =
      sweep(plan, points, store, options, [&](const SweepProgress& now) { reporter.show(now); });
  reporter.end();
  tell_when_interrupted(nullptr);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  const std::int64_t short_of_memory = out_of_memory_in(store);
  const std::string done =
      fmt::format("{}: {} points, {} runs, {} of them new, {} failed{}; {:.1f} s.", plan.study().name,
                  plan.points().size(), progress.all, progress.done - progress.before, progress.failed,
                  short_of_memory > 0 ? fmt::format(", {} OUT OF MEMORY", short_of_memory) : "", wall.count());
  fmt::print("{}", with_command(done, "Now: mlocksim results " + shell_word(*output)));
  const bool all_as_expected = check_points(points, store);
  if (progress.failed > 0) return kRunFailed;
  return all_as_expected ? kOk : kExpectationFailed;
}

}  // namespace experiments
