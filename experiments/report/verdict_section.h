// All that a comparison answers, as its verdict says it on a terminal, in tables.
#pragma once

#include <string>

#include "experiments/report/report_data.h"

namespace experiments {

/// Empty for a study, and where there is no verdict.
[[nodiscard]] std::string verdict_section(const ReportData& data);

}  // namespace experiments
