// Of each class and call that was run for real: which share takes longer than a latency, real over simulated.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "experiments/base/html.h"
#include "experiments/report/figures/curves.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"
#include "experiments/report/validation_page.h"

namespace experiments {

namespace {

// A page of more is read by nobody; the table has all of them.
constexpr std::size_t kMostPlots = 12;
// Of fewer a curve is a few steps.
constexpr std::uint64_t kLeastSamples = 30;

// Okabe and Ito's blue and vermilion, dashed besides.
const std::map<std::string, PolicyStyle> kSides{{"real", {"#0072B2", 1, 7}}, {"simulated", {"#D55E00", 2, 6}}};

Figure validated_figure(const std::string& what, const std::vector<LatencyCurve>& curves) {
  PlotBuilder plot("validated_" + what, what, {"side", "latency_ns", "share_longer", "requests_longer"});
  draw_ccdf(plot, curves, kSides);
  return plot.figure(
      fmt::format("{}: {} real and {} simulated. Where the curves lie apart sideways, one takes so many times longer.",
                  html_text(what), curves[0].latency.count(), curves[1].latency.count()),
      "Share of requests that take longer than a latency, both logarithmic, real and simulated.");
}

}  // namespace

std::vector<FigureOrNot> validated_figures(const Json& validation) {
  std::vector<FigureOrNot> figures;
  std::size_t left_out = 0;
  for (const Json& times : validation.at("times")) {
    std::vector<LatencyCurve> curves;
    for (const char* const side : {"real", "simulated"}) {
      curves.push_back({side, CoarseHistogram::from_json(times.at("distribution").at(side))});
    }
    const bool enough = curves[0].latency.count() >= kLeastSamples && curves[1].latency.count() >= kLeastSamples;
    if (enough && figures.size() < kMostPlots) {
      figures.emplace_back(validated_figure(title_of_times(times), curves));
    } else {
      ++left_out;
    }
  }
  if (left_out > 0) {
    figures.emplace_back(Omission{fmt::format("{} others", left_out),
                                  fmt::format("they have fewer than {} samples on one side, or there are {} figures "
                                              "already: the table has all of them",
                                              kLeastSamples, kMostPlots)});
  }
  return figures;
}

}  // namespace experiments
