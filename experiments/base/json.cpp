#include "experiments/base/json.h"

#include <nlohmann/json.hpp>

#include <string_view>

template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace experiments {

std::string in_words(const std::exception& error) {
  const std::string_view text = error.what();
  const std::size_t name_end = text.starts_with("[json.exception.") ? text.find("] ") : std::string_view::npos;
  return std::string(name_end == std::string_view::npos ? text : text.substr(name_end + 2));
}

}  // namespace experiments
