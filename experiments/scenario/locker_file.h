// Reads the script of a locker: its calls, one after another, and what it waits between them.
#pragma once

#include <optional>
#include <vector>

#include "models/spec/scenario.h"

namespace experiments {

class YamlField;
struct TextForm;

/// What a step is (yaml_values.h).
[[nodiscard]] TextForm step_form();

/// A list of steps such as [mlock, hold 100ms, munlock]; nothing comes after `exit`.
[[nodiscard]] std::optional<std::vector<models::ScriptStep>> script_of(const YamlField& field);

}  // namespace experiments
