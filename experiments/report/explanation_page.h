// What `explain` has found, for a page: who suffers, what happens, and the remedies side by side.
//
// Made from the JSON that `explain --json` writes (explanation.h): as a section of a report, or as a page of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/report/page_frame.h"
#include "experiments/run/result_json.h"

namespace experiments {

/// Whether this is what `explain --json` writes.
[[nodiscard]] bool is_explanation(const Json& json);
/// Throws InputError where it is none.
[[nodiscard]] Json read_explanation(const std::filesystem::path& file);

/// The remedies that have figures, the best first. They point into `explanation`.
[[nodiscard]] std::vector<const Json*> told_trials(const Json& explanation);

/// The section, without its figure.
[[nodiscard]] std::string explanation_section(const Json& explanation);

/// `input`: the file, as it was given.
[[nodiscard]] std::string explanation_page(const Json& explanation, const std::vector<DrawnOrNot>& figures,
                                           const std::string& files, const std::string& input);

}  // namespace experiments
