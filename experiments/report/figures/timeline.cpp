// Who holds mmap_sem, and who waits for it, around the longest request.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>

#include "experiments/report/figures/captions.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"

namespace experiments {

namespace {

struct StateLook {
  SemaphoreState state;
  const char* name;
  const char* colour;
};
constexpr std::array<StateLook, 3> kStates{{{SemaphoreState::writes, "holds it for write", "#882255"},
                                            {SemaphoreState::reads, "holds it for read", "#44AA99"},
                                            {SemaphoreState::waits, "waits for it", "#DDCC77"}}};

const char* name_of(SemaphoreState state) {
  const auto found =
      std::find_if(kStates.begin(), kStates.end(), [&](const auto& each) { return each.state == state; });
  return found->name;
}

struct AxisUnit {
  const char* name;
  double nanoseconds;
};

AxisUnit unit_for(double span) {
  if (span >= 2e9) return {"s", 1e9};
  if (span >= 2e6) return {"ms", 1e6};
  return span >= 2e3 ? AxisUnit{"µs", 1e3} : AxisUnit{"ns", 1};
}

/// The tasks with most to do with the semaphore, by name, and how many there are besides.
std::vector<std::string> busiest(const SemaphoreTimeline& timeline, std::size_t most, std::size_t& left_out) {
  std::map<std::string, std::int64_t> time;
  for (const SemaphoreBar& bar : timeline.bars) time[bar.task] += bar.to - bar.from;
  std::vector<std::string> tasks;
  for (const auto& [task, each] : time) tasks.push_back(task);
  std::stable_sort(tasks.begin(), tasks.end(), [&](const auto& a, const auto& b) {
    const bool worst_a = a == timeline.worst_task;
    const bool worst_b = b == timeline.worst_task;
    return worst_a != worst_b ? worst_a : time[a] > time[b];
  });
  left_out = tasks.size() > most ? tasks.size() - most : 0;
  if (left_out > 0) tasks.resize(most);
  std::sort(tasks.begin(), tasks.end());
  return tasks;
}

struct WorstRun {
  const RunOutcome* run = nullptr;
  std::int64_t max_ns = -1;
  std::string class_name;
};

/// The run of the point with the longest request of all.
WorstRun worst_run(const ReportData& data, std::size_t point, const std::string& policy) {
  WorstRun worst;
  const PolicyOutcomes* const outcomes = data.results.points[point].policy(policy);
  if (outcomes == nullptr) return worst;
  for (const auto& [replication, run] : outcomes->replications) {
    for (const auto& [where, figures] : run.figures) {
      if (where.second != "total" || !run.is_whole() || figures.back().value_or(-1) <= worst.max_ns) continue;
      worst = {&run, *figures.back(), where.first};
    }
  }
  return worst;
}

/// A time as the axis has it: from when the request was due.
std::string on_axis(const SemaphoreTimeline& timeline, const AxisUnit& unit, std::int64_t time) {
  return digits(static_cast<double>(time - timeline.worst_due) / unit.nanoseconds);
}

/// The bars of these tasks. Returns which states there are.
std::set<SemaphoreState> add_bars(PlotBuilder& plot, const SemaphoreTimeline& timeline,
                                  const std::vector<std::string>& tasks, const AxisUnit& unit) {
  constexpr std::int64_t kPixels = 1300;
  std::set<SemaphoreState> seen;
  for (const SemaphoreBar& bar : without_slivers(timeline.bars, (timeline.to - timeline.from) / kPixels)) {
    const auto row = std::find(tasks.begin(), tasks.end(), bar.task);
    if (row == tasks.end()) continue;
    seen.insert(bar.state);
    plot.row({bar.task, fmt::format("{}", row - tasks.begin()), on_axis(timeline, unit, bar.from),
              on_axis(timeline, unit, bar.to), name_of(bar.state), bar.call});
  }
  return seen;
}

void set_axes(PlotBuilder& plot, const SemaphoreTimeline& timeline, const std::vector<std::string>& tasks,
              const AxisUnit& unit) {
  Tics rows;
  for (std::size_t row = 0; row < tasks.size(); ++row) rows.emplace_back(tasks[row], static_cast<double>(row));
  plot.range("x", on_axis(timeline, unit, timeline.from), on_axis(timeline, unit, timeline.to));
  plot.rows(static_cast<int>(tasks.size()) - 1, rows);
  plot.set("tics", "scale 0");
  plot.unset("grid");
  plot.set("border", "1");
  plot.label("x", fmt::format("time since the request was due ({})", unit.name));
  for (const std::string& at :
       {std::string("0"), on_axis(timeline, unit, timeline.worst_due + timeline.worst_latency)}) {
    plot.line(
        fmt::format("from {0}, graph 0 to {0}, graph 1 nohead linewidth 2 dashtype 2 linecolor rgb '#000000' "
                    "front",
                    at));
  }
}

void draw_bars(PlotBuilder& plot, const std::set<SemaphoreState>& seen) {
  for (const StateLook& look : kStates) {
    if (!seen.contains(look.state)) continue;
    plot.curve(fmt::format("DATA using {}:2:3:4:($2-0.4):($2+0.4) with boxxyerror linecolor rgb '{}' title {}",
                           where(5, look.name, "($3+$4)/2"), look.colour, gnuplot_string(look.name)));
  }
}

std::string caption_of(const ReportData& data, const Focus& focus, const RunOutcome& run,
                       const SemaphoreTimeline& timeline, std::size_t left_out) {
  const auto latency = static_cast<double>(timeline.worst_latency);
  const std::string query =
      data.is_study ? fmt::format("SELECT max(max_ns) FROM figure WHERE run='{}' AND phase='total'", run.key) : "";
  std::string caption = fmt::format(
      "The longest request of seed {} took {}: {}, due during {}{}. Dashed lines: when it was due, and when it was "
      "served.",
      run.seed, html_number({time_text(latency), latency, "single", query}), html_text(timeline.worst_task),
      html_text(timeline.worst_phase), at_focus(data, focus));
  if (left_out > 0) {
    caption += fmt::format(" {} with less to do with it {} left out.", counted(left_out, "task"),
                           left_out == 1 ? "is" : "are");
  }
  return caption;
}

}  // namespace

FigureOrNot timeline_figure(const ReportData& data, const Focus& focus, const std::string& policy,
                            const TimelineOf& timeline_of) {
  const std::string title = fmt::format("Who holds mmap_sem around the longest request under {}", policy);
  const WorstRun worst = worst_run(data, focus.point, policy);
  if (worst.run == nullptr) return Omission{title, "no run of it has finished at the point shown"};
  const auto told = timeline_of(*worst.run, data.details(worst.run->key).result);
  if (const auto* const reason = std::get_if<std::string>(&told)) return Omission{title, html_text(*reason)};
  const auto& timeline = std::get<SemaphoreTimeline>(told);
  if (timeline.bars.empty()) return Omission{title, "nobody had to do with it then"};
  constexpr std::size_t kMostTasks = 14;
  std::size_t left_out = 0;
  const std::vector<std::string> tasks = busiest(timeline, kMostTasks, left_out);
  const AxisUnit unit = unit_for(static_cast<double>(timeline.to - timeline.from));
  const std::string column_unit = unit.name == std::string("µs") ? "us" : unit.name;
  PlotBuilder plot("semaphore_" + policy, title,
                   {"task", "row", "from_" + column_unit, "to_" + column_unit, "state", "doing"});
  const std::set<SemaphoreState> seen = add_bars(plot, timeline, tasks, unit);
  set_axes(plot, timeline, tasks, unit);
  draw_bars(plot, seen);
  plot.height(std::clamp(240 + 52 * static_cast<int>(tasks.size()), 500, 1100));
  return plot.figure(
      caption_of(data, focus, *worst.run, timeline, left_out),
      "A row for each task with bars for when it holds mmap_sem for write or for read, and when it waits.");
}

}  // namespace experiments
