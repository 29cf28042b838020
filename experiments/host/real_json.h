// The JSON that goes to the probe (a workload) and comes back from it (a real result). Both programs have this file.
#pragma once

#include <string>

#include "experiments/host/real_result.h"

namespace experiments {

/// In one line.
[[nodiscard]] std::string to_json_text(const Workload& workload);
[[nodiscard]] std::string to_json_text(const RealResult& result);
[[nodiscard]] std::string to_json_text(const std::vector<RealClass>& classes);

// Each throws std::runtime_error with what is wrong with the text.
[[nodiscard]] Workload parse_workload(const std::string& text);
[[nodiscard]] RealResult parse_real_result(const std::string& text);
[[nodiscard]] std::vector<RealClass> parse_real_classes(const std::string& text);

}  // namespace experiments
