// Which share of requests takes longer than a latency.
#include <fmt/format.h>

#include "experiments/report/figures/captions.h"
#include "experiments/report/figures/curves.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"
#include "experiments/report/figures/styles.h"

namespace experiments {

FigureOrNot ccdf_figure(const ReportData& data, const Focus& focus) {
  const ClassAndCall about = best_known(data, focus);
  const std::vector<LatencyCurve> curves = curves_of(data, focus, about);
  PlotBuilder plot("ccdf", "How many requests take longer",
                   {"policy", "latency_ns", "share_longer", "requests_longer"});
  if (curves.empty()) return Omission{plot.title(), no_curves(data)};
  draw_ccdf(plot, curves, styles_of(data.policies));
  const Measure longest{"max", about.first, about.second, ""};
  return plot.figure(
      fmt::format("{}{}. The area to the right of a curve is what nobody has to wait for.",
                  capitalised(compared(data, focus.point, focus, longest)), at_focus(data, focus)),
      fmt::format("Share of {} that take longer than a latency, both logarithmic, one curve for each policy.",
                  words(about)));
}

}  // namespace experiments
