#include "experiments/base/csv.h"

#include <fmt/format.h>

#include <boost/algorithm/string/replace.hpp>

namespace experiments {

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\n\r") == std::string_view::npos) return std::string(text);
  return fmt::format("\"{}\"", boost::replace_all_copy(std::string(text), "\"", "\"\""));
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) {
    if (&field != &fields.front()) line += ',';
    line += csv_field(field);
  }
  return line + "\n";
}

}  // namespace experiments
