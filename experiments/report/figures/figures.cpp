#include "experiments/report/figures/figures.h"

#include <array>
#include <utility>

#include "experiments/report/figures/captions.h"

namespace experiments {

namespace {

struct Subject {
  const ReportData& data;
  const Focus& focus;
  const TimelineOf& timeline_of;
};

using Some = std::vector<FigureOrNot>;

template <FigureOrNot (*figure)(const ReportData&, const Focus&)>
Some one(const Subject& subject) {
  return {figure(subject.data, subject.focus)};
}

Some timelines(const Subject& subject) {
  Some figures;
  for (const std::string& policy : focused_policies(subject.focus)) {
    figures.push_back(timeline_figure(subject.data, subject.focus, policy, subject.timeline_of));
  }
  return figures;
}

// In the order of the page: a row for each figure, or for those that are one for each policy.
constexpr std::array<Some (*)(const Subject&), 8> kFigures{
    // clang-format off
    &one<percentile_figure>,
    &one<ccdf_figure>,
    &one<axis_figure>,
    &one<heat_figure>,
    &one<blame_figure>,
    &one<side_by_side_figure>,
    &timelines,
    &one<memory_figure>,
    // clang-format on
};

}  // namespace

std::vector<FigureOrNot> figures_of(const ReportData& data, const Focus& focus, const TimelineOf& timeline_of) {
  Some all;
  for (const auto make : kFigures) {
    for (FigureOrNot& figure : make({data, focus, timeline_of})) all.push_back(std::move(figure));
  }
  return all;
}

}  // namespace experiments
