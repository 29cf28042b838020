// Figures of what single runs went through: blame, the semaphore, memory.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "experiments/base/csv.h"
#include "experiments/report/figures.h"
#include "models/measure/blame.h"

namespace experiments {

namespace {

std::string times_1e(double value) { return fmt::format("{:.10g}", value); }

// --- blame ------------------------------------------------------------------------------------------------------

constexpr const char* kAll = "all";
constexpr const char* kSlowest = "slowest";

/// Where requests spent their time: sums in nanoseconds by what it went into.
struct BlameSum {
  double count = 0;
  double all = 0;
  std::map<std::string, double> parts;
};

/// Who is waited for, without what that one was about, which is one too many for a figure.
std::string holder_of(const Json& wait) {
  const auto text = [&](const char* key) { return wait.at(key).get<std::string>(); };
  const std::string lock = text("lock") == "mmap_sem" ? "mmap_sem" : "a VMA's lock";
  if (wait.contains("behind")) return fmt::format("{}: queued writer {}", lock, text("behind"));
  return fmt::format("{}: {} {} {}", lock, text("holder"), text("mode"), text("phase"));
}

std::string in_words(std::string cause) {
  std::replace(cause.begin(), cause.end(), '_', ' ');
  return cause == "cpu" ? "own work" : cause;
}

void add(BlameSum& sum, const Json& blame, double count) {
  sum.count += count;
  for (const auto& [cause, time] : blame.items()) {
    if (cause == "from_ns" || cause == "count" || !time.is_number() || time.get<double>() <= 0) continue;
    sum.all += time.get<double>();
    if (cause != "lock_wait") sum.parts[in_words(cause)] += time.get<double>();
  }
  double known = 0;
  for (const Json& wait : blame.at("lock_wait_by")) {
    const auto time = wait.at("ns").get<double>();
    sum.parts[holder_of(wait)] += time;
    known += time;
  }
  const double rest = blame.at("lock_wait").get<double>() - known;
  if (rest > 0) sum.parts["other locks"] += rest;
}

/// The part of a result about a class and call, or null.
Json latencies_of(const Json& result, const ClassAndCall& where) {
  const auto of_class = result.at("classes").find(where.first);
  if (of_class == result.at("classes").end()) return nullptr;
  if (where.second == "total") return of_class->at("total");
  const auto during = of_class->at("during").find(where.second);
  return during == of_class->at("during").end() ? Json(nullptr) : *during;
}

struct PolicyBlame {
  std::string policy;
  BlameSum everybody;
  BlameSum slowest;
};

std::vector<PolicyBlame> blame_of(const ReportData& data, const Focus& focus, const ClassAndCall& where) {
  std::vector<PolicyBlame> all;
  for (const std::string& policy : data.policies) {
    PolicyBlame blame{policy, {}, {}};
    for (const std::string& run : data.runs(focus.point, policy)) {
      const Json latencies = latencies_of(data.details(run).result, where);
      if (latencies.is_null() || !latencies.contains("tail_blame")) continue;
      add(blame.everybody, latencies.at("blame"), latencies.at("count").get<double>());
      const Json& tail = latencies.at("tail_blame");
      add(blame.slowest, tail, tail.at("count").get<double>());
    }
    if (blame.everybody.all > 0) all.push_back(std::move(blame));
  }
  return all;
}

/// What is told apart: what is at most waited for and at least a hundredth of a bar, the rest together.
std::vector<std::string> shown_parts(const std::vector<PolicyBlame>& blames) {
  std::map<std::string, double> weights;
  for (const PolicyBlame& blame : blames) {
    for (const BlameSum* sum : {&blame.everybody, &blame.slowest}) {
      for (const auto& [part, time] : sum->parts) weights[part] += time / sum->all;
    }
  }
  std::vector<std::string> parts;
  for (const auto& [part, weight] : weights) parts.push_back(part);
  std::stable_sort(parts.begin(), parts.end(), [&](const auto& a, const auto& b) { return weights[a] > weights[b]; });
  constexpr std::size_t kMost = 7;
  constexpr double kLeast = 0.01;
  while (parts.size() > kMost || (!parts.empty() && weights[parts.back()] < kLeast)) parts.pop_back();
  return parts;
}

// Paul Tol's muted scheme: none of them is a policy's.
constexpr std::array<const char*, 8> kPartColours{"#882255", "#DDCC77", "#332288", "#44AA99",
                                                  "#999933", "#88CCEE", "#AA4499", "#DDDDDD"};

std::string share_html(const ReportData& data, const Focus& focus, const std::string& policy, const ClassAndCall& where,
                       const BlameSum& slowest) {
  const std::string query = query_of_tail_blame(data, focus.point, policy, where.first, where.second);
  double waits = 0;
  for (const auto& [part, time] : slowest.parts) {
    if (part.starts_with("mmap_sem") || part == "other locks") waits += time;
  }
  const double share = slowest.all > 0 ? 100 * waits / slowest.all : 0;
  const bool nearly = share > 99.5 && share < 100;
  return html_number(
      {fmt::format("{}{:.0f}\u00a0%", nearly ? "more than 99.5" : "", nearly ? 0.0 : share), share, "share", query});
}

}  // namespace

FigureOrNot blame_figure(const ReportData& data, const Focus& focus) {
  const std::string title = "What the time goes into";
  const ClassAndCall where = best_known(data, focus);
  const std::vector<PolicyBlame> blames = blame_of(data, focus, where);
  if (blames.empty()) return Omission{title, "no run at the point shown has requests of this class"};
  const std::vector<std::string> parts = shown_parts(blames);
  std::string csv = csv_line({"policy", "requests", "part", "from_percent", "to_percent", "row", "mean_ns_of_part",
                              "mean_ns", "number_of_requests"});
  Tics rows;
  std::string marks;
  int row = 0;
  bool rest_drawn = false;
  for (const PolicyBlame& blame : blames) {
    for (const BlameSum* sum : {&blame.everybody, &blame.slowest}) {
      const bool everybody = sum == &blame.everybody;
      const double mean = sum->all / sum->count;
      const auto add_bar = [&](const std::string& part, double from, double to) {
        csv += csv_line({blame.policy, everybody ? kAll : kSlowest, part, times_1e(from), times_1e(to),
                         fmt::format("{}", row), times_1e((to - from) / 100 * mean), times_1e(mean),
                         fmt::format("{:.0f}", sum->count)});
      };
      double from = 0;
      for (const std::string& part : parts) {
        const auto found = sum->parts.find(part);
        if (found == sum->parts.end()) continue;
        const double to = from + 100 * found->second / sum->all;
        add_bar(part, from, to);
        from = to;
      }
      constexpr double kSeen = 0.05;
      if (from < 100 - kSeen) {
        add_bar("everything else", from, 100);
        rest_drawn = true;
      }
      rows.emplace_back(fmt::format("{}, {}", blame.policy, everybody ? "all" : "slowest"), row);
      marks += fmt::format("set label {} at 101, {} left\n",
                           gnuplot_string(fmt::format("mean {}", plain_text(time_text(mean)))), row);
      ++row;
    }
    ++row;
  }
  std::string commands = fmt::format(
      "set xrange [0:100]\nset yrange [{}.4:-0.6]\nset ytics {}\nset xtics 0, 20, 100 format '%g %%'\nset tics scale "
      "0\n"
      "unset grid\nset border 1\nset rmargin 16\nset xlabel 'share of the requests'' time (%)'\n"
      "set key outside top left horizontal maxcols 1\n{}plot \\\n",
      row - 2, tics_list(rows), marks);
  std::vector<std::string> drawn = parts;
  if (rest_drawn) drawn.emplace_back("everything else");
  for (std::size_t part = 0; part < drawn.size(); ++part) {
    const char* const colour = drawn[part] == "everything else" ? kPartColours.back() : kPartColours[part];
    commands += fmt::format(
        " DATA using (strcol(3) eq {0} ? ($4+$5)/2 : NaN):6:4:5:($6-0.42):($6+0.42) with boxxyerror linecolor rgb "
        "'{1}' title {0}{2}",
        gnuplot_string(drawn[part]), colour, part + 1 == drawn.size() ? "\n" : ", \\\n");
  }
  const auto share = [&](const std::string& policy) {
    const auto found =
        std::find_if(blames.begin(), blames.end(), [&](const auto& each) { return each.policy == policy; });
    return found == blames.end() ? std::string("-") : share_html(data, focus, policy, where, found->slowest);
  };
  std::string caption = fmt::format("Waiting for mmap_sem is {} of the time of the slowest {} requests under {}",
                                    share(focus.before), html_text(where.first), html_text(focus.before));
  if (!focus.after.empty()) caption += fmt::format(" and {} under {}", share(focus.after), html_text(focus.after));
  caption += at_focus(data, focus) +
             ". All requests above, the slowest below: those beyond the highest percentile that can be told.";
  const int height = std::clamp(330 + 48 * row, 560, 1700);
  return Figure{{"blame", csv, commands, height},
                title,
                caption,
                fmt::format("Stacked bars of what {}{} spent their time on, all and the slowest, for each policy.",
                            where.first + " requests", where.second == "total" ? "" : " due during " + where.second)};
}

// --- the semaphore ------------------------------------------------------------------------------------------------

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

struct Unit {
  const char* name;
  double nanoseconds;
};

Unit unit_for(double span) {
  if (span >= 2e9) return {"s", 1e9};
  if (span >= 2e6) return {"ms", 1e6};
  return span >= 2e3 ? Unit{"µs", 1e3} : Unit{"ns", 1};
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
  constexpr std::int64_t kPixels = 1300;
  constexpr std::size_t kMostTasks = 14;
  std::size_t left_out = 0;
  const std::vector<std::string> tasks = busiest(timeline, kMostTasks, left_out);
  const Unit unit = unit_for(static_cast<double>(timeline.to - timeline.from));
  const auto at = [&](std::int64_t time) {
    return times_1e(static_cast<double>(time - timeline.worst_due) / unit.nanoseconds);
  };
  std::string csv =
      csv_line({"task", "row", fmt::format("from_{}", unit.name == std::string("µs") ? "us" : unit.name),
                fmt::format("to_{}", unit.name == std::string("µs") ? "us" : unit.name), "state", "doing"});
  std::set<SemaphoreState> seen;
  for (const SemaphoreBar& bar : without_slivers(timeline.bars, (timeline.to - timeline.from) / kPixels)) {
    const auto row = std::find(tasks.begin(), tasks.end(), bar.task);
    if (row == tasks.end()) continue;
    seen.insert(bar.state);
    csv += csv_line(
        {bar.task, fmt::format("{}", row - tasks.begin()), at(bar.from), at(bar.to), name_of(bar.state), bar.call});
  }
  Tics rows;
  for (std::size_t row = 0; row < tasks.size(); ++row) rows.emplace_back(tasks[row], static_cast<double>(row));
  std::string commands = fmt::format(
      "set xrange [{}:{}]\nset yrange [{}.6:-0.6]\nset ytics {}\nset tics scale 0\nunset grid\nset border 1\n"
      "set xlabel 'time since the request was due ({})'\n"
      "set arrow from 0, graph 0 to 0, graph 1 nohead linewidth 2 dashtype 2 linecolor rgb '#000000' front\n"
      "set arrow from {}, graph 0 to {}, graph 1 nohead linewidth 2 dashtype 2 linecolor rgb '#000000' front\nplot "
      "\\\n",
      at(timeline.from), at(timeline.to), tasks.size() - 1, tics_list(rows), unit.name,
      at(timeline.worst_due + timeline.worst_latency), at(timeline.worst_due + timeline.worst_latency));
  std::string plots;
  for (const StateLook& look : kStates) {
    if (!seen.contains(look.state)) continue;
    plots += fmt::format(
        "{0} DATA using (strcol(5) eq '{1}' ? ($3+$4)/2 : NaN):2:3:4:($2-0.4):($2+0.4) with boxxyerror linecolor rgb "
        "'{2}' title '{1}'",
        plots.empty() ? "" : ", \\\n", look.name, look.colour);
  }
  const std::string query =
      data.is_study ? fmt::format("SELECT max(max_ns) FROM figure WHERE run='{}' AND phase='total'", worst.run->key)
                    : "";
  std::string caption = fmt::format(
      "The longest request of seed {} took {}: {}, due during {}{}. Dashed lines: when it was due, and when it was "
      "served.",
      worst.run->seed,
      html_number({time_text(static_cast<double>(timeline.worst_latency)), static_cast<double>(timeline.worst_latency),
                   "single", query}),
      html_text(timeline.worst_task), html_text(timeline.worst_phase), at_focus(data, focus));
  if (left_out > 0) caption += fmt::format(" {} with less to do with it are left out.", counted(left_out, "task"));
  std::string name = "semaphore_" + policy;
  for (char& each : name) {
    if (std::isalnum(static_cast<unsigned char>(each)) == 0 && each != '_' && each != '-' && each != '.') each = '_';
  }
  const int height = std::clamp(240 + 52 * static_cast<int>(tasks.size()), 500, 1100);
  return Figure{{name, csv, commands + plots + "\n", height},
                title,
                caption,
                "A row for each task with bars for when it holds mmap_sem for write or for read, and when it waits."};
}

// --- memory -------------------------------------------------------------------------------------------------------

namespace {

constexpr double kPage = 4096;
constexpr double kGiB = 1024.0 * 1024 * 1024;

/// How much reclaim there was.
double reclaimed(const Json& result) {
  const Json& memory = result.at("memory");
  return memory.at("kswapd").value("scanned_pages", 0.0) + memory.at("direct").value("scanned_pages", 0.0);
}

}  // namespace

FigureOrNot memory_figure(const ReportData& data, const Focus& focus) {
  const std::string title = "Free memory and reclaim";
  // Where reclaim is, is seldom the point of the median effect.
  std::size_t point = focus.point;
  double most = -1;
  for (const PointOutcomes& each : data.results.points) {
    const std::vector<std::string> runs = data.runs(each.number, focus.before);
    if (runs.empty()) continue;
    const double pages = reclaimed(data.details(runs.front()).result);
    if (pages > most || (pages == most && each.number == focus.point)) {
      most = pages;
      point = each.number;
    }
  }
  std::string csv = csv_line({"policy", "time_s", "lowest_free_gib", "highest_free_gib", "free_gib", "kswapd_runs"});
  std::vector<std::string> drawn;
  Json marks;
  for (const std::string& policy :
       focus.after.empty() ? std::vector{focus.before} : std::vector{focus.before, focus.after}) {
    const std::vector<std::string> runs = data.runs(point, policy);
    if (runs.empty()) continue;
    const Json memory = data.details(runs.front()).result.at("memory");
    const Json& free = memory.at("series").at("free_pages");
    const Json& kswapd = memory.at("series").at("kswapd_runs");
    if (free.at("last").empty()) continue;
    marks = memory.at("watermarks_pages");
    drawn.push_back(policy);
    const double every = free.at("every_ns").get<double>() / 1e9;
    const double kswapd_every = kswapd.at("every_ns").get<double>() / 1e9;
    for (std::size_t bucket = 0; bucket < free.at("last").size(); ++bucket) {
      const double time = every * static_cast<double>(bucket);
      const auto gib = [&](const char* which) {
        return times_1e(free.at(which).at(bucket).get<double>() * kPage / kGiB);
      };
      const auto of_kswapd = static_cast<std::size_t>(time / kswapd_every);
      const bool runs_then = of_kswapd < kswapd.at("max").size() && kswapd.at("max").at(of_kswapd).get<int>() > 0;
      csv += csv_line({policy, times_1e(time), gib("min"), gib("max"), gib("last"), runs_then ? "1" : "0"});
    }
  }
  if (drawn.empty()) return Omission{title, "the runs keep no series of free memory"};
  if (most <= 0) return Omission{title, "nothing is reclaimed in any of these runs: there is free memory all the time"};
  const auto styles = styles_of(data.policies);
  std::string commands =
      "set multiplot\nset lmargin at screen 0.12\nset rmargin at screen 0.97\n"
      "set tmargin at screen 0.90\nset bmargin at screen 0.36\nset yrange [0:*]\nset xtics format ''\n"
      "set ylabel 'free memory (GiB)'\n";
  for (const char* const mark : {"high", "low", "min"}) {
    const double at = marks.at(mark).get<double>() * kPage / kGiB;
    commands += fmt::format(
        "set arrow from graph 0, first {0} to graph 1, first {0} nohead linecolor rgb '#777777' dashtype 3 linewidth "
        "1.5\n",
        at);
  }
  commands += "plot \\\n";
  std::string upper;
  std::string lower;
  int row = 0;
  for (const std::string& policy : drawn) {
    const PolicyStyle& style = styles.at(policy);
    upper += fmt::format(
        "{0} DATA using 2:{1}:{2} with filledcurves linecolor rgb '{3}' fillstyle transparent solid 0.2 title '', \\\n"
        " DATA using 2:{4} with lines linewidth 3 dashtype {5} linecolor rgb '{3}' title {6}",
        upper.empty() ? "" : ", \\\n", fmt::format("(strcol(1) eq {} ? $3 : NaN)", gnuplot_string(policy)),
        fmt::format("(strcol(1) eq {} ? $4 : NaN)", gnuplot_string(policy)), style.colour,
        fmt::format("(strcol(1) eq {} ? $5 : NaN)", gnuplot_string(policy)), style.dashes, gnuplot_string(policy));
    lower += fmt::format(
        "{0} DATA using (strcol(1) eq {1} && $6 > 0 ? $2 : NaN):({2}) with points pointtype 5 pointsize 0.7 linecolor "
        "rgb "
        "'{3}' title ''",
        lower.empty() ? "" : ", \\\n", gnuplot_string(policy), row, style.colour);
    ++row;
  }
  commands +=
      upper + fmt::format(
                  "\nunset arrow\nset tmargin at screen 0.32\nset bmargin at screen 0.14\nset yrange "
                  "[{}.6:-0.6]\nset ytics ('' 0)\nset xtics auto format '%g'\nset xlabel 'time (s)'\nset ylabel "
                  "'kswapd runs'\nunset key\nplot \\\n{}\nunset multiplot\n",
                  row - 1, lower);
  const std::vector<std::string> runs = data.runs(point, focus.before);
  const Json result = data.details(runs.front()).result;
  const double lowest = result.at("memory").at("lowest_free_pages").get<double>();
  const std::string query = query_of_run(data, runs.front(), "memory.lowest_free_pages");
  const std::string where =
      data.results.points.size() < 2
          ? ""
          : " at " + html_text(title_of(data.results, data.results.points[point])) + ", where most is reclaimed";
  return Figure{
      {"memory", csv, commands, 800},
      title,
      fmt::format("Under {} free memory falls to {} pages of 4 KiB{}, first seed. Dotted: the high, low and min "
                  "watermarks, below which kswapd and then everybody reclaims.",
                  html_text(focus.before), html_number({fmt::format("{:.0f}", lowest), lowest, "single", query}),
                  where),
      "Free memory over time with the watermarks, and when kswapd runs."};
}

}  // namespace experiments
