#include "experiments/scenario/yaml_values.h"

#include <cassert>
#include <cstdint>
#include <string_view>

#include "experiments/base/quantity.h"

namespace experiments {

namespace {

constexpr std::string_view kNameExpected = "a name of at most 100 letters, digits, '_', '-' and '.'";
// Names become names of files, columns of tables and lines of figures.
constexpr std::size_t kLongestName = 100;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

std::optional<sim::Distribution> list_of_durations(const YamlField& field) {
  sim::Empirical list;
  const std::vector<YamlField> items = field.items("a list of durations");
  for (const YamlField& item : items) {
    if (const auto duration = duration_of(item)) list.samples.push_back(*duration);
  }
  if (list.samples.empty() || list.samples.size() < items.size()) return std::nullopt;
  return list;
}

// As parse_amount reads it.
constexpr std::string_view kNumberPattern = "[0-9]+(\\.[0-9]+)?";

std::string amount_pattern(std::string_view units) { return fmt::format("{}({})", kNumberPattern, units); }

}  // namespace

const std::vector<TextForm>& text_forms() {
  static const std::string duration = amount_pattern("ns|us|\u00b5s|\u03bcs|ms|s");
  static const std::string size = amount_pattern("[KMGT]iB|B");
  static const std::vector<TextForm> forms = {
      {"name", std::string(kNameExpected), fmt::format("^[A-Za-z0-9_.-]{{1,{}}}$", kLongestName)},
      {"duration", std::string(kDurationExpected), fmt::format("^{}$", duration)},
      {"size", std::string(kSizeExpected), fmt::format("^{}$", size)},
      {"rate", std::string(kByteRateExpected), fmt::format("^({})/s$", size)},
      {"distribution", std::string(kDistributionExpected),
       fmt::format("^\\s*((constant\\s+|exponential\\s+|uniform\\s+{0}\\s+|lognormal\\s+median\\s+{0}\\s+p99\\s+)?{0}"
                   "|empirical\\s+\\S.*)\\s*$",
                   duration)},
  };
  return forms;
}

std::optional<std::string> text_of(const YamlField& field) { return field.text("a text"); }

std::optional<bool> truth_of(const YamlField& field) { return field.boolean(); }

std::optional<std::string> name_of(const YamlField& field) {
  auto name = field.text(kNameExpected);
  if (!name || is_name(*name)) return name;
  field.refuse_expecting(kNameExpected);
  return std::nullopt;
}

void check_name(const YamlMap& map, const YamlMap::Item& item) {
  if (!is_name(item.key)) map.refuse_key(item, fmt::format("expected {}, found '{}'", kNameExpected, item.key));
}

const std::vector<std::vector<std::string>>& alternatives() {
  static const std::vector<std::vector<std::string>> rows{{"policy", "policies"}, {"closed", "open", "every"}};
  return rows;
}

void refuse_both(const YamlField& one, const YamlField& other, std::string_view instead) {
  const auto key = [](const YamlField& field) { return field.path().substr(field.path().find_last_of('.') + 1); };
  const auto of_command_line = [](const YamlField& field) { return field.node().at.line == 0; };
  assert(std::any_of(alternatives().begin(), alternatives().end(), [&](const std::vector<std::string>& row) {
    return std::count(row.begin(), row.end(), key(one)) + std::count(row.begin(), row.end(), key(other)) == 2;
  }));
  const YamlField& added = of_command_line(one) ? one : other;
  added.refuse(fmt::format("expected either `{}` or `{}`, found both{}", key(one), key(other),
                           of_command_line(added) ? instead : ""));
}

std::optional<sim::Nanoseconds> duration_of(const YamlField& field) {
  return field.parsed([](const std::string& text) { return parse_duration(text); }, kDurationExpected);
}

std::optional<sim::Nanoseconds> positive_duration_of(const YamlField& field) {
  const auto duration = duration_of(field);
  if (!duration || duration->count() > 0) return duration;
  field.refuse_expecting("a duration above zero");
  return std::nullopt;
}

std::optional<sim::Distribution> distribution_of(const YamlField& field) {
  if (field.node().kind == YamlNode::Kind::sequence) return list_of_durations(field);
  const auto parse = [&](const std::string& text) { return parse_distribution(text, field.folder()); };
  return field.parsed(parse, kDistributionExpected);
}

std::optional<sim::Distribution> inter_arrival_of(const YamlField& field) {
  auto every = distribution_of(field);
  if (!every || every->mean() > 0) return every;
  field.refuse_expecting("a distribution with a mean above zero");
  return std::nullopt;
}

std::optional<models::Bytes> size_of(const YamlField& field) {
  return field.parsed([](const std::string& text) { return parse_size(text); }, kSizeExpected);
}

std::optional<models::Bytes> whole_pages_of(const YamlField& field) {
  const auto size = size_of(field);
  if (!size) return std::nullopt;
  const models::Bytes rounded = models::bytes_of(models::pages_of(*size));
  if (size->count() > 0 && rounded == *size) return size;
  const models::Bytes meant = std::max(rounded, models::Bytes{models::kPageSize});
  field.refuse_expecting("a multiple of 4KiB above zero", fmt::format(" (did you mean {}?)", spell(meant)));
  return std::nullopt;
}

std::optional<models::Bytes> byte_rate_of(const YamlField& field) {
  return field.parsed([](const std::string& text) { return parse_byte_rate(text); }, kByteRateExpected);
}

std::optional<int> nice_of(const YamlField& field) {
  const auto nice = field.signed_number(-20, 19);
  return nice ? std::optional(static_cast<int>(*nice)) : std::nullopt;
}

namespace {

std::function<std::optional<int>(const YamlField&)> whole_number_from(std::uint64_t least, int most) {
  return [=](const YamlField& field) -> std::optional<int> {
    const auto number = field.whole_number(least, static_cast<std::uint64_t>(most));
    return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
  };
}

}  // namespace

std::function<std::optional<int>(const YamlField&)> number_up_to(int most) { return whole_number_from(0, most); }

std::function<std::optional<int>(const YamlField&)> count_up_to(int most) { return whole_number_from(1, most); }

}  // namespace experiments
