// What the captions of figures have in common.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/report/report_answer.h"
#include "experiments/report/report_data.h"

namespace experiments {

/// A class of competitors and a call of the locker, or "total".
using ClassAndCall = std::pair<std::string, std::string>;

/// Of those that the measures name, the one with the most requests under the policy that has fewest.
[[nodiscard]] ClassAndCall best_known(const ReportData& data, const Focus& focus);

/// The policies that the report is about, one or two.
[[nodiscard]] std::vector<std::string> focused_policies(const Focus& focus);

/// `faulter requests due during munlock`
[[nodiscard]] std::string words(const ClassAndCall& where);
/// `p99 ... is 643 ms under downgrade and 11 us under unlock_downgrade`, as HTML.
[[nodiscard]] std::string compared(const ReportData& data, std::size_t point, const Focus& focus,
                                   const Measure& measure);
[[nodiscard]] std::string capitalised(std::string text);

/// `at region 64MiB, faulters 7`, as HTML; empty where there is one point only.
[[nodiscard]] std::string at_focus(const ReportData& data, const Focus& focus);

}  // namespace experiments
