// The JSON of this program: an alias, declared only. Who makes or reads one includes <nlohmann/json.hpp>.
#pragma once

#include <exception>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace experiments {

/// Keeps the order in which keys are written.
using Json = nlohmann::ordered_json;

/// What an exception of the library says, without the library's name for it.
[[nodiscard]] std::string in_words(const std::exception& error);

}  // namespace experiments
