// What `validate` has told of a scenario, for a page: how far off the model is, both distributions over each other, who
// waits for whom.
//
// Made from the JSON that `validate --json` writes (docs/outputs.md).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/report/page_frame.h"
#include "experiments/run/result_json.h"

namespace experiments {

/// Whether this is what `validate --json` writes.
[[nodiscard]] bool is_validation(const Json& json);
/// Throws InputError where it is none.
[[nodiscard]] Json read_validation(const std::filesystem::path& file);

/// Whose times these are, an entry of the list `times`: `mapper, munlock`, or `munlock()` for a call itself.
[[nodiscard]] std::string title_of_times(const Json& times);

/// `input`: the file, as it was given.
[[nodiscard]] std::string validation_page(const Json& validation, const std::vector<DrawnOrNot>& figures,
                                          const std::string& files, const std::string& input);

}  // namespace experiments
