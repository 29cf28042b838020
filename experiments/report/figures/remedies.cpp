// What each remedy does to the victims' tails.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>

#include "experiments/report/explanation_page.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"
#include "experiments/report/figures/styles.h"

namespace experiments {

namespace {

// As many as can be told apart at a glance.
constexpr std::size_t kMostDrawn = 14;
constexpr const char* kAsItIs = "as it is";

std::vector<std::string> victims_of(const Json& explanation) {
  std::vector<std::string> names;
  for (const Json& victim : explanation.at("victims")) names.push_back(victim.at("class").get<std::string>());
  return names;
}

/// What each change of a remedy comes to, and the victims as they are on top.
void add_rows(PlotBuilder& plot, const Json& victims, const std::vector<const Json*>& trials) {
  double low = std::numeric_limits<double>::max();
  double high = 0;
  const auto add = [&](std::size_t place, const std::string& remedy, const Json& change) {
    const double tail = change.at("after_ns").get<double>();
    low = std::min(low, std::max(1.0, tail));
    high = std::max(high, tail);
    plot.row({std::to_string(place), remedy, change.at("class").get<std::string>(),
              change.at("statistic").get<std::string>(), fmt::format("{}", change.at("after_ns").get<std::int64_t>())});
  };
  Tics names{{kAsItIs, 0}};
  for (const Json& victim : victims) add(0, kAsItIs, victim);
  for (const Json* trial : trials) {
    const std::size_t place = names.size();
    const auto remedy = trial->at("remedy").get<std::string>();
    names.emplace_back(remedy, static_cast<double>(place));
    for (const Json& change : trial->at("victims")) add(place, remedy, change);
  }
  plot.log_times("x", low, high);
  plot.rows(static_cast<int>(trials.size()), names);
}

}  // namespace

FigureOrNot remedy_figure(const Json& explanation) {
  PlotBuilder plot("remedies", "What each remedy does to the victims",
                   {"place", "remedy", "class", "statistic", "tail_ns"});
  std::vector<const Json*> trials = told_trials(explanation);
  if (trials.empty()) return Omission{plot.title(), "there is nobody to be helped"};
  const std::size_t all = trials.size();
  trials.resize(std::min(kMostDrawn, all));
  add_rows(plot, explanation.at("victims"), trials);
  plot.set("grid", "ytics");
  plot.label("x", "tail of the victims (p99.9 or the longest; time, logarithmic)");
  const std::vector<std::string> victims = victims_of(explanation);
  const auto styles = styles_of(victims);
  for (const std::string& victim : victims) {
    const PolicyStyle& style = styles.at(victim);
    plot.curve(fmt::format("DATA using 5:{} with points pointsize 1.7 linewidth 2 pointtype {} {} title {}",
                           where(3, victim, "$1"), style.mark, line_colour(style), gnuplot_string(victim)));
  }
  constexpr int kRow = 48;
  constexpr int kAround = 260;
  plot.height(kAround + kRow * static_cast<int>(trials.size() + 1));
  return plot.figure(
      "Each change alone, the one that helps its least helped victim most on top. Further left is better." +
          std::string(trials.size() < all ? fmt::format(" The {} best of {}.", trials.size(), all) : ""),
      "The victims' tails on a logarithmic axis, one row for each remedy and one for things as they are.");
}

}  // namespace experiments
