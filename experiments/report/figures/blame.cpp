// What the time of requests goes into: of all, and of the slowest.
#include "models/measure/blame.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>

#include "experiments/report/figures/captions.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"

namespace experiments {

namespace {

constexpr const char* kAll = "all";
constexpr const char* kSlowest = "slowest";
constexpr const char* kElse = "everything else";
constexpr const char* kMmapSem = "mmap_sem";

/// Where requests spent their time: sums in nanoseconds by what it went into.
struct BlameSum {
  double count = 0;
  double all = 0;
  std::map<std::string, double> parts;
};

/// Who is waited for, without what that one was about, which is one too many for a figure.
std::string holder_of(const Json& wait) {
  const auto text = [&](const char* key) { return wait.at(key).get<std::string>(); };
  const std::string lock = text("lock") == "mmap_sem" ? kMmapSem : "a VMA's lock";
  if (wait.contains("behind")) return fmt::format("{}: queued writer {}", lock, text("behind"));
  return fmt::format("{}: {} {} {}", lock, text("holder"), text("mode"), text("phase"));
}

std::string cause_in_words(std::string cause) {
  std::replace(cause.begin(), cause.end(), '_', ' ');
  return cause == "cpu" ? "own work" : cause;
}

void add(BlameSum& sum, const Json& blame, double count) {
  sum.count += count;
  for (const auto& [cause, time] : blame.items()) {
    if (cause == "from_ns" || cause == "count" || !time.is_number() || time.get<double>() <= 0) continue;
    sum.all += time.get<double>();
    if (cause != "lock_wait") sum.parts[cause_in_words(cause)] += time.get<double>();
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
    if (part.starts_with(kMmapSem)) waits += time;
  }
  const double share = slowest.all > 0 ? 100 * waits / slowest.all : 0;
  const bool nearly = share > 99.5 && share < 100;
  const std::string text = nearly ? "more than 99.5" : fmt::format("{:.0f}", share);
  return html_number({text + "\u00a0%", share, "share", query});
}

/// One bar, cut into what is told apart and the rest. Returns whether there is a rest.
bool add_bar(PlotBuilder& plot, const std::string& policy, const char* requests, const BlameSum& sum,
             const std::vector<std::string>& parts, int row) {
  const double mean = sum.all / sum.count;
  const auto add = [&](const std::string& part, double from, double to) {
    plot.row({policy, requests, part, digits(from), digits(to), fmt::format("{}", row),
              digits((to - from) / 100 * mean), digits(mean), fmt::format("{:.0f}", sum.count)});
  };
  double from = 0;
  for (const std::string& part : parts) {
    const auto found = sum.parts.find(part);
    if (found == sum.parts.end()) continue;
    const double to = from + 100 * found->second / sum.all;
    add(part, from, to);
    from = to;
  }
  constexpr double kSeen = 0.05;
  if (from >= 100 - kSeen) return false;
  add(kElse, from, 100);
  return true;
}

struct Bars {
  Tics names;
  std::vector<std::string> means;  ///< labels of gnuplot's beside the bars
  int rows = 0;                    ///< with an empty one after each policy
  bool rest = false;
};

Bars add_bars(PlotBuilder& plot, const std::vector<PolicyBlame>& blames, const std::vector<std::string>& parts) {
  Bars bars;
  for (const PolicyBlame& blame : blames) {
    for (const BlameSum* sum : {&blame.everybody, &blame.slowest}) {
      const char* const requests = sum == &blame.everybody ? kAll : kSlowest;
      bars.rest = add_bar(plot, blame.policy, requests, *sum, parts, bars.rows) || bars.rest;
      bars.names.emplace_back(fmt::format("{}, {}", blame.policy, requests), bars.rows);
      bars.means.push_back(
          fmt::format("{} at 101, {} left",
                      gnuplot_string(fmt::format("mean {}", plain_text(time_text(sum->all / sum->count)))), bars.rows));
      ++bars.rows;
    }
    ++bars.rows;
  }
  return bars;
}

void set_axes(PlotBuilder& plot, const Bars& bars) {
  plot.range("x", "0", "100");
  plot.rows(bars.rows - 2, bars.names, "0.6", "0.4");
  plot.set("xtics", "0, 20, 100 format '%g %%'");
  plot.set("tics", "scale 0");
  plot.unset("grid");
  plot.set("border", "1");
  plot.set("rmargin", "16");
  plot.label("x", "share of the requests' time (%)");
  plot.set("key", "outside top left horizontal maxcols 1");
  for (const std::string& mean : bars.means) plot.set("label", mean);
}

void draw_bars(PlotBuilder& plot, std::vector<std::string> parts, bool rest) {
  if (rest) parts.emplace_back(kElse);
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const char* const colour = parts[part] == kElse ? kPartColours.back() : kPartColours[part];
    plot.curve(fmt::format("DATA using {}:6:4:5:($6-0.42):($6+0.42) with boxxyerror linecolor rgb '{}' title {}",
                           where(3, parts[part], "($4+$5)/2"), colour, gnuplot_string(parts[part])));
  }
}

std::string caption_of(const ReportData& data, const Focus& focus, const ClassAndCall& about,
                       const std::vector<PolicyBlame>& blames) {
  const auto share = [&](const std::string& policy) {
    const auto found =
        std::find_if(blames.begin(), blames.end(), [&](const auto& each) { return each.policy == policy; });
    return found == blames.end() ? std::string("-") : share_html(data, focus, policy, about, found->slowest);
  };
  std::string caption = fmt::format("Waiting for mmap_sem is {} of the time of the slowest {} requests under {}",
                                    share(focus.before), html_text(about.first), html_text(focus.before));
  if (!focus.after.empty()) caption += fmt::format(" and {} under {}", share(focus.after), html_text(focus.after));
  return caption + at_focus(data, focus) +
         ". All requests above, the slowest below: those beyond the highest percentile that can be told.";
}

}  // namespace

FigureOrNot blame_figure(const ReportData& data, const Focus& focus) {
  PlotBuilder plot("blame", "What the time goes into",
                   {"policy", "requests", "part", "from_percent", "to_percent", "row", "mean_ns_of_part", "mean_ns",
                    "number_of_requests"});
  const ClassAndCall about = best_known(data, focus);
  const std::vector<PolicyBlame> blames = blame_of(data, focus, about);
  if (blames.empty()) return Omission{plot.title(), "no run at the point shown has requests of this class"};
  const std::vector<std::string> parts = shown_parts(blames);
  const Bars bars = add_bars(plot, blames, parts);
  set_axes(plot, bars);
  draw_bars(plot, parts, bars.rest);
  plot.height(std::clamp(330 + 48 * bars.rows, 560, 1700));
  return plot.figure(
      caption_of(data, focus, about, blames),
      fmt::format("Stacked bars of what {} spent their time on, all and the slowest, for each policy.", words(about)));
}

}  // namespace experiments
