// The JSON of this program: an alias, declared only. Who makes or reads one includes <nlohmann/json.hpp>.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace experiments {

/// Keeps the order in which keys are written.
using Json = nlohmann::ordered_json;

}  // namespace experiments
