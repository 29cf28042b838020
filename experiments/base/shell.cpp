#include "experiments/base/shell.h"

#include <fmt/format.h>

#include <boost/algorithm/string/replace.hpp>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace experiments {

std::string shell_word(const std::string& text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_.-+/=:,%@").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain && !text.empty()) return text;
  return fmt::format("'{}'", boost::algorithm::replace_all_copy(text, "'", "'\\''"));
}

}  // namespace experiments
