// YAML as this project writes it, with every comment where it was: `mlocksim fmt`.
//
// Only blanks and line breaks change. Maps and lists are indented by two, a list below its key, too; a comment on a
// line of its own stands as what it is about; more than one empty line becomes one; a flow map has no blanks inside its
// brackets and one at least behind a comma. What aligns columns within a line stays, and so does how a value is
// written. Text is not broken into lines anew.
//
// The lines are taken as they are, by their indentation: yaml-cpp drops comments. What that comes to is believed only
// where it reads as the same tree, formats to itself, and has the same letters in the same order.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/yaml_reader.h"

namespace experiments {

/// The text formatted. Nothing when it has reported a diagnostic: the text is no YAML that our readers take, or cannot
/// be formatted without changing what it says. `origin`: where its first character is.
[[nodiscard]] std::optional<std::string> format_yaml(const std::string& text, const Position& origin,
                                                     std::vector<Diagnostic>& diagnostics);

}  // namespace experiments
