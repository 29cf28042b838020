// The figures of a report: what each draws, its data, and what it shows in a sentence.
//
// Every policy has one colour in all of them (Okabe and Ito's, which colour-blind people tell apart), with dashes and
// marks of its own besides. A figure that the data cannot fill is left out, with the reason.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "experiments/base/json.h"
#include "experiments/report/figures/figure.h"
#include "experiments/report/report_answer.h"
#include "experiments/report/report_data.h"
#include "experiments/run/semaphore_timeline.h"

namespace experiments {

struct StudyDifference;

/// What a run went through around its longest request; or why that cannot be told. `run`: its command.
using TimelineOf =
    std::function<std::variant<SemaphoreTimeline, std::string>(const RunOutcome& run, const Json& result)>;

/// All figures of a report, in the order of the page.
[[nodiscard]] std::vector<FigureOrNot> figures_of(const ReportData& data, const Focus& focus,
                                                  const TimelineOf& timeline_of);

// --- one by one: each in a file of its own ------------------------------------------------------------------------

[[nodiscard]] FigureOrNot percentile_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot ccdf_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot axis_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot heat_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot blame_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot side_by_side_figure(const ReportData& data, const Focus& focus);
[[nodiscard]] FigureOrNot timeline_figure(const ReportData& data, const Focus& focus, const std::string& policy,
                                          const TimelineOf& timeline_of);
[[nodiscard]] FigureOrNot memory_figure(const ReportData& data, const Focus& focus);

// --- of other pages -----------------------------------------------------------------------------------------------

/// The ratios between two studies, those that changed most first, `most` of them.
[[nodiscard]] FigureOrNot difference_figure(const StudyDifference& difference, std::size_t most = 30);
/// The victims' tails as it is and under each remedy. `explanation`: as `explain --json` writes it.
[[nodiscard]] FigureOrNot remedy_figure(const Json& explanation);
/// Those who waited for mmap_lock in a trace, and those who held it. `import`: as `import --json` writes it.
[[nodiscard]] FigureOrNot traced_waits_figure(const Json& import);
[[nodiscard]] FigureOrNot traced_holds_figure(const Json& import);
/// Each class and call that ran for real, over the same simulated. `validation`: as `validate --json` writes it.
[[nodiscard]] std::vector<FigureOrNot> validated_figures(const Json& validation);

}  // namespace experiments
