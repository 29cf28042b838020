// What changed between two studies: the same points and policies, before and after something else did.
//
// Points are the same when their axes have the same values, policies when they have the same name. Replications of one
// seed are paired: both studies saw the same demands. Where seeds differ there is no interval.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/base/change.h"
#include "experiments/report/report_data.h"

namespace experiments {

/// A measure at a point under a policy in both studies.
struct DifferenceRow {
  std::string point;  ///< in words
  std::string policy;
  Measure measure;
  double before = 0;  ///< means of the replications of common seeds
  double after = 0;
  double ratio = 1;                  ///< after / before
  std::optional<Interval> interval;  ///< of the ratio
  std::size_t seeds = 0;
  Change change = Change::none;
};

struct StudyDifference {
  std::string before;  ///< name of the study
  std::string after;
  std::vector<DifferenceRow> rows;       ///< in the order of the study before
  std::vector<std::string> only_before;  ///< points and policies without a partner, in words
  std::vector<std::string> only_after;
  std::vector<std::string> unmeasured;  ///< measures that only one of them has
  std::size_t out_of_memory = 0;        ///< runs of both that are in no row, as they ran out of memory

  [[nodiscard]] std::size_t count(Change change) const;
};

[[nodiscard]] StudyDifference difference_of(const ReportData& before, const ReportData& after);

}  // namespace experiments
