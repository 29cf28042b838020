// Figures out of the JSON that a command of mlocksim has written, for a page. A file that is not as it was written is
// refused, before anything is drawn.
#pragma once

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>

#include "experiments/base/json.h"

namespace experiments {

/// A file is not as its command writes it. What it says is a clause.
class NotAsWritten : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A count, or a time in nanoseconds: from 0 to 2^63. `key` is for the message of NotAsWritten.
[[nodiscard]] double number_in(const Json& value, const std::string& key);
[[nodiscard]] double number_of(const Json& object, const char* key);
[[nodiscard]] std::string text_at(const Json& object, const char* key);

/// The JSON of `file` if `use`, which takes from it whatever the page does, takes it; throws InputError that says what
/// `command`, such as `mlocksim import --json`, has not written.
[[nodiscard]] Json read_written(const std::filesystem::path& file, const std::string& command,
                                const std::function<void(const Json&)>& use);

}  // namespace experiments
