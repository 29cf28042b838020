// Free memory over time, and when kswapd runs.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "experiments/report/figures/captions.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"
#include "experiments/report/figures/styles.h"

namespace experiments {

namespace {

constexpr double kPage = 4096;
constexpr double kGiB = 1024.0 * 1024 * 1024;

/// How much reclaim there was.
double reclaimed(const Json& result) {
  const Json& memory = result.at("memory");
  return memory.at("kswapd").value("scanned_pages", 0.0) + memory.at("direct").value("scanned_pages", 0.0);
}

/// A point and how much is reclaimed there in the first run.
struct Reclaim {
  std::size_t point = 0;
  double pages = -1;
};

/// Where most is reclaimed, which is seldom the point of the median effect.
Reclaim most_reclaim(const ReportData& data, const Focus& focus) {
  Reclaim most{focus.point, -1};
  for (const PointOutcomes& each : data.results.points) {
    const std::vector<std::string> runs = data.runs(each.number, focus.before);
    if (runs.empty()) continue;
    const double pages = reclaimed(data.details(runs.front()).result);
    if (pages > most.pages || (pages == most.pages && each.number == focus.point)) most = {each.number, pages};
  }
  return most;
}

/// The series of a policy's first run.
void add_rows(PlotBuilder& plot, const std::string& policy, const Json& series) {
  const Json& free = series.at("free_pages");
  const Json& kswapd = series.at("kswapd_runs");
  const double every = free.at("every_ns").get<double>() / 1e9;
  const double kswapd_every = kswapd.at("every_ns").get<double>() / 1e9;
  for (std::size_t bucket = 0; bucket < free.at("last").size(); ++bucket) {
    const double time = every * static_cast<double>(bucket);
    const auto gib = [&](const char* which) { return digits(free.at(which).at(bucket).get<double>() * kPage / kGiB); };
    const auto of_kswapd = static_cast<std::size_t>(time / kswapd_every);
    const bool runs_then = of_kswapd < kswapd.at("max").size() && kswapd.at("max").at(of_kswapd).get<int>() > 0;
    plot.row({policy, digits(time), gib("min"), gib("max"), gib("last"), runs_then ? "1" : "0"});
  }
}

/// The upper part: free memory with the watermarks.
void draw_free(PlotBuilder& plot, const ReportData& data, const std::vector<std::string>& policies,
               const Json& watermarks) {
  plot.set("multiplot");
  plot.set("lmargin", "at screen 0.12");
  plot.set("rmargin", "at screen 0.97");
  plot.set("tmargin", "at screen 0.90");
  plot.set("bmargin", "at screen 0.36");
  plot.range("y", "0", "*");
  plot.set("xtics", "format ''");
  plot.label("y", "free memory (GiB)");
  for (const char* const mark : {"high", "low", "min"}) {
    plot.line(
        fmt::format("from graph 0, first {0} to graph 1, first {0} nohead linecolor rgb '#777777' dashtype 3 "
                    "linewidth 1.5",
                    watermarks.at(mark).get<double>() * kPage / kGiB));
  }
  const auto styles = styles_of(data.policies);
  for (const std::string& policy : policies) {
    const PolicyStyle& style = styles.at(policy);
    plot.curve(fmt::format("DATA using 2:{}:{} with filledcurves {} fillstyle transparent solid 0.2 title ''",
                           where(1, policy, "$3"), where(1, policy, "$4"), line_colour(style)));
    plot.curve(fmt::format("DATA using 2:{} with lines linewidth 3 dashtype {} {} title {}", where(1, policy, "$5"),
                           style.dashes, line_colour(style), gnuplot_string(policy)));
  }
  plot.plot();
}

/// The lower part: a row for each policy with dots for when kswapd runs.
void draw_kswapd(PlotBuilder& plot, const ReportData& data, const std::vector<std::string>& policies) {
  plot.unset("arrow");
  plot.set("tmargin", "at screen 0.32");
  plot.set("bmargin", "at screen 0.14");
  plot.range("x", "GPVAL_X_MIN", "GPVAL_X_MAX");  // of the upper part: its own would begin where kswapd does
  plot.rows(static_cast<int>(policies.size()) - 1, {{"", 0}});
  plot.set("xtics", "auto format '%g'");
  plot.label("x", "time (s)");
  plot.label("y", "kswapd runs");
  plot.unset("key");
  const auto styles = styles_of(data.policies);
  for (std::size_t row = 0; row < policies.size(); ++row) {
    plot.curve(
        fmt::format("DATA using (strcol(1) eq {} && $6 > 0 ? $2 : NaN):({}) with points pointtype 5 pointsize 0.7 {} "
                    "title ''",
                    gnuplot_string(policies[row]), row, line_colour(styles.at(policies[row]))));
  }
  plot.plot();
  plot.unset("multiplot");
}

std::string caption_of(const ReportData& data, const Focus& focus, std::size_t point) {
  const std::string run = data.runs(point, focus.before).front();
  const double lowest = data.details(run).result.at("memory").at("lowest_free_pages").get<double>();
  const std::string query = query_of_run(data, run, "memory.lowest_free_pages");
  const std::string at =
      data.results.points.size() < 2
          ? ""
          : " at " + html_text(title_of(data.results, data.results.points[point])) + ", where most is reclaimed";
  return fmt::format(
      "Under {} free memory falls to {} pages of 4 KiB{}, first seed. Dotted: the high, low and min watermarks, below "
      "which kswapd and then everybody reclaims.",
      html_text(focus.before), html_number({fmt::format("{:.0f}", lowest), lowest, "single", query}), at);
}

}  // namespace

FigureOrNot memory_figure(const ReportData& data, const Focus& focus) {
  PlotBuilder plot("memory", "Free memory and reclaim",
                   {"policy", "time_s", "lowest_free_gib", "highest_free_gib", "free_gib", "kswapd_runs"});
  const Reclaim most = most_reclaim(data, focus);
  std::vector<std::string> drawn;
  Json watermarks;
  for (const std::string& policy : focused_policies(focus)) {
    const std::vector<std::string> runs = data.runs(most.point, policy);
    if (runs.empty()) continue;
    const Json memory = data.details(runs.front()).result.at("memory");
    if (memory.at("series").at("free_pages").at("last").empty()) continue;
    watermarks = memory.at("watermarks_pages");
    add_rows(plot, policy, memory.at("series"));
    drawn.push_back(policy);
  }
  if (drawn.empty()) return Omission{plot.title(), "the runs keep no series of free memory"};
  if (most.pages <= 0) {
    return Omission{plot.title(), "nothing is reclaimed in any of these runs: there is free memory all the time"};
  }
  draw_free(plot, data, drawn, watermarks);
  draw_kswapd(plot, data, drawn);
  plot.height(800);
  return plot.figure(caption_of(data, focus, most.point),
                     "Free memory over time with the watermarks, and when kswapd runs.");
}

}  // namespace experiments
