// How much a class loses from one run to another, and whether that makes it one that suffers.
//
// Three measures, as each is blind to what another sees. Tail: the highest percentile up to p99.9 that all replications
// on both sides have samples enough for, or else the longest sample; where that is all that can be told of who suffers,
// it is the second measure. Longest: the longest request of all, one that the
// warm-up leaves out or that was never served included; of a thread that makes no requests its longest wait for a lock.
// Lost: the time that each of its threads waits for locks in a run. A class with thousands of requests, twenty of which
// are stuck for seconds, shows in the second only; one that waits a little, always, in the third.
//
// The longest is that of all replications together, and has no interval: one sample is enough to have seen a stall. The
// other figures are those of single replications: ratios are geometric means, paired by seed, and differences have
// Student's 95 % interval (statistics.h).
// Validated by tests/experiments/explain/class_change_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/base/change.h"
#include "experiments/base/statistics.h"
#include "experiments/compare/comparison.h"
#include "models/measure/result.h"

namespace experiments {

/// What a class loses.
enum class Loss { tail, longest, lost };

/// In words, for a footnote: `lost: ...`.
[[nodiscard]] std::string_view meaning_of(Loss loss);

/// A class before and after a change.
struct ClassChange {
  std::string class_name;
  Statistic statistic;  ///< `p99`; `longest`, `lost`
  double before = 0;    ///< means over the replications, in nanoseconds
  double after = 0;
  double ratio = 1;  ///< after / before: the geometric mean; infinite where something comes of nothing
  std::optional<Interval> difference;  ///< of after - before; nothing with one replication
  Loss by = Loss::tail;

  [[nodiscard]] Change kind() const { return change_between(before, after, difference); }
};

/// The change of one class from some results to others, seed by seed, in the tail. Nothing where either has no samples
/// of it.
[[nodiscard]] std::optional<ClassChange> tail_change(const std::vector<models::Result>& before,
                                                     const std::vector<models::Result>& after,
                                                     const std::string& class_name);
/// The same by any measure. Nothing also where either does not know the class.
[[nodiscard]] std::optional<ClassChange> change_by(Loss loss, const std::vector<models::Result>& before,
                                                   const std::vector<models::Result>& after,
                                                   const std::string& class_name);

/// The number that blame and locks know a class by; -1 if the result does not know it.
[[nodiscard]] models::ClassId class_id_of(const models::Result& result, const std::string& class_name);

/// The longest request of a class, or the longest wait for a lock of one that makes none; 0 where there is none.
[[nodiscard]] sim::Nanoseconds longest_of(const models::Result& result, const std::string& class_name);

/// Whether a class that makes requests suffers, against one thread of it alone on the machine, and by what. Its
/// tail is kFarAbove times as long; what `together` can tell decides which percentile, as fewer requests alone are no
/// reason to look away, and where they cannot tell it their longest stands for it, which is no shorter. Or a request
/// took kStall, kStallOfMedians times the median, and kFarAbove times the longest alone; this rather than the tail
/// where it is kFarAbove times as far from alone. Or, where neither is so, a share of its time of kWorthNaming more
/// goes to waiting for locks.
[[nodiscard]] std::optional<ClassChange> suffering(const std::vector<models::Result>& alone,
                                                   const std::vector<models::Result>& together,
                                                   const std::string& class_name);
/// The same of one that makes no requests, and alone would wait for nobody: a wait of kStall made the longest call of
/// its kind kFarAbove times as long as it would have been, or is kStallOfMedians times what such a call usually takes;
/// or a share of its time of kWorthNaming goes to waiting for locks.
[[nodiscard]] std::optional<ClassChange> suffering(const std::vector<models::Result>& together,
                                                   const std::string& class_name);

}  // namespace experiments
