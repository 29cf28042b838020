#include "experiments/base/html.h"

#include <fmt/format.h>

#include <boost/algorithm/string/replace.hpp>

#include <cctype>
#include <regex>

namespace experiments {

std::string html_text(std::string_view text) {
  std::string escaped;
  for (const char each : text) {
    switch (each) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += each;
    }
  }
  return escaped;
}

std::string html_prose(std::string_view text) {
  static const std::regex kCode("`([^`]+)`");
  static const std::regex kMicroseconds("([0-9]) us\\b");
  return std::regex_replace(std::regex_replace(html_text(text), kCode, "<code>$1</code>"), kMicroseconds, "$1\u00a0µs");
}

std::string url_part(std::string_view text) {
  constexpr std::string_view kPlain = "-._~";
  std::string part;
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    const bool plain = byte < 0x80 && (std::isalnum(byte) != 0 || kPlain.find(each) != std::string_view::npos);
    part += plain ? std::string(1, each) : fmt::format("%{:02X}", byte);
  }
  return part;
}

std::string html_number(const TracedNumber& number) {
  if (number.source.empty()) return html_text(number.text);
  return fmt::format(R"(<data value="{:.17g}" data-of="{}" data-sql="{}">{}</data>)", number.value,
                     html_text(number.statistic), html_text(number.source), html_text(number.text));
}

std::string plain_text(std::string_view fragment) {
  std::string text;
  bool in_tag = false;
  for (const char each : fragment) {
    if (each == '<') in_tag = true;
    if (!in_tag) text += each;
    if (each == '>') in_tag = false;
  }
  for (const auto& [entity, meaning] :
       {std::pair{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}}) {
    boost::replace_all(text, entity, meaning);
  }
  return text;
}

}  // namespace experiments
