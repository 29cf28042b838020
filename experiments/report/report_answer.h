// What a report says on top: the question, and the answer in three sentences that follow from the numbers.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/change.h"
#include "experiments/report/report_data.h"

namespace experiments {

/// A measure at one point under two policies, over the replications that both have.
struct PointEffect {
  std::size_t point = 0;
  double before = 0;  ///< means
  double after = 0;
  double ratio = 1;                  ///< after / before: of one replication, or the geometric mean
  std::optional<Interval> interval;  ///< of the ratio
  Change change = Change::none;
};

/// Nothing where no replication has both, or one of them is 0. Whether it is a change is what the verdict says, where
/// there is one on these two.
[[nodiscard]] std::optional<PointEffect> effect_at(const ReportData& data, std::size_t point, const std::string& before,
                                                   const std::string& after, const Measure& measure);
/// Those of all points that have one.
[[nodiscard]] std::vector<PointEffect> effects_of(const ReportData& data, const std::string& before,
                                                  const std::string& after, const Measure& measure);

/// What the report is about.
struct Focus {
  std::string question;
  Measure headline;               ///< of a study, the first of the measures that are shown; or that which changes most
  std::vector<Measure> measures;  ///< that the question is about, the headline first
  std::string before;             ///< the policy that the others are held against
  std::string after;              ///< the one that is asked about; empty: there is only one policy
  std::vector<PointEffect> effects;  ///< of the headline, at all points; of a comparison none: its verdict has them
  std::size_t point = 0;  ///< shown in the figures: the one of the median effect, or else of the median value
};

/// Of a comparison the first of its answers. The question of a study is that of two policies which differ on one path
/// only, best that of the headline's phase; or else which of the first and the last policy is better.
[[nodiscard]] Focus focus_of(const ReportData& data);

struct Answer {
  std::vector<std::string> sentences;  ///< three at most, as HTML; those of a comparison are its verdict
  std::vector<std::string> not_shown;  ///< as HTML, a sentence each
};

[[nodiscard]] Answer answer_of(const ReportData& data, const Focus& focus);

/// `43.2 ms [43.1 ms, 43.3 ms]`, as HTML: the mean over the replications of a point, with its 95 % interval where that
/// is wider than what is shown of it.
[[nodiscard]] std::string mean_html(const ReportData& data, std::size_t point, const std::string& policy,
                                    const Measure& measure);
/// `1,700 times shorter [1,500, 1,900]`, as HTML.
[[nodiscard]] std::string ratio_html(const ReportData& data, const Focus& focus, const PointEffect& effect,
                                     const Measure& measure);

}  // namespace experiments
