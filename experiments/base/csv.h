// Comma-separated values (RFC 4180, with plain line feeds).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace experiments {

/// As a field of a CSV file (RFC 4180).
[[nodiscard]] std::string csv_field(std::string_view text);
/// A line of a CSV file, with its end.
[[nodiscard]] std::string csv_line(const std::vector<std::string>& fields);

}  // namespace experiments
