// The figures of a report: what each draws, its data, and what it shows in a sentence.
//
// Every policy has one colour in all of them (Okabe and Ito's, which colour-blind people tell apart), with dashes and
// marks of its own besides. A figure that the data cannot fill is left out, with the reason.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "experiments/report/gnuplot.h"
#include "experiments/report/report_answer.h"
#include "experiments/report/report_data.h"
#include "experiments/run/semaphore_timeline.h"

namespace experiments {

struct Figure {
  Plot plot;
  std::string title;
  std::string caption;      ///< what it shows, as HTML
  std::string description;  ///< for those who do not see it: what is drawn over what
};

/// A figure that is not there.
struct Omission {
  std::string title;
  std::string reason;  ///< a clause, as HTML
};

using FigureOrNot = std::variant<Figure, Omission>;

/// How a policy is drawn.
struct PolicyStyle {
  std::string colour;  ///< `#rrggbb`
  int dashes = 1;      ///< gnuplot's numbers
  int mark = 7;
};

/// Those of all policies. The shipped policies of the patch's question have the same in every report.
[[nodiscard]] std::map<std::string, PolicyStyle> styles_of(const std::vector<std::string>& policies);

/// What a run went through around its longest request; or why that cannot be told. `run`: its command.
using TimelineOf =
    std::function<std::variant<SemaphoreTimeline, std::string>(const RunOutcome& run, const Json& result)>;

/// All figures of a report, in the order of the page.
[[nodiscard]] std::vector<FigureOrNot> figures_of(const ReportData& data, const Focus& focus,
                                                  const TimelineOf& timeline_of);

// --- one by one -----------------------------------------------------------------------------------------------

/// A class of competitors and a call of the locker, or "total".
using ClassAndCall = std::pair<std::string, std::string>;

/// Of those that the measures name, the one with the most requests under the policy that has fewest.
[[nodiscard]] ClassAndCall best_known(const ReportData& data, const Focus& focus);

[[nodiscard]] FigureOrNot percentile_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot ccdf_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot blame_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot axis_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot heat_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot side_by_side_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot memory_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot timeline_figure(const ReportData& data, const Focus& focus, const std::string& policy,
                                          const TimelineOf& timeline_of);

// --- shared -----------------------------------------------------------------------------------------------------

/// ` linecolor rgb '#0072B2' dashtype 1 pointtype 7`
[[nodiscard]] std::string gnuplot_style(const PolicyStyle& style);
/// A logarithmic axis ("x", "y") of times in nanoseconds, with room beyond both ends.
[[nodiscard]] std::string log_time_axis(const std::string& axis, double low, double high);
/// `at region 64MiB, faulters 7`, as HTML; empty where there is one point only.
[[nodiscard]] std::string at_focus(const ReportData& data, const Focus& focus);

}  // namespace experiments
