#include "experiments/study/study_file.h"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <algorithm>
#include <limits>

#include "experiments/base/diagnostics.h"
#include "experiments/base/judgement.h"
#include "experiments/base/statistics.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/kernel_version.h"
#include "experiments/scenario/yaml_text.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

using Diagnostics = std::vector<Diagnostic>;

constexpr std::size_t kMostValues = 10'000;
constexpr std::string_view kValuesExpected =
    "a list such as [1, 2, 4], a range such as 64MiB..4GiB x2 or 1..8 +1, or a map of named settings";
constexpr std::string_view kRangeExpected = "a range such as 64MiB..4GiB x2 or 1..8 +1";

// --- ranges -------------------------------------------------------------------------------------------------

struct Step {
  bool factor = false;
  Value by;
};

Expected<Step> parse_step(const std::string& text, ValueType type) {
  const bool factor = text.starts_with('x');
  if (!factor && !text.starts_with('+')) {
    return Refusal{fmt::format("expected a step such as x2 or +1 after the range, found '{}'", text)};
  }
  const Value by = value_of(text.substr(1));
  const ValueType expected = factor ? ValueType::number : type;
  if (by.type != expected) {
    return Refusal{
        fmt::format("expected {} after '{}', found '{}'", to_string(expected), text.front(), text.substr(1))};
  }
  if (factor ? by.amount <= 1 : by.amount <= 0) {
    return Refusal{fmt::format("'{}' never reaches the end of the range", text)};
  }
  return Step{factor, by};
}

/// Rounding must not cost a range its end: 0.1, 0.2 ... 1.
constexpr double kSlack = 1e-9;

Expected<std::vector<Value>> values_between(const Value& low, const Value& high, const Step& step) {
  std::vector<Value> values;
  Value value = low;
  while (value.amount <= high.amount * (1 + kSlack)) {
    if (values.size() == kMostValues) return Refusal{fmt::format("that is more than {} values", kMostValues)};
    values.push_back(value);
    const double count = static_cast<double>(values.size());
    // Not added up: the tenth of ten steps of 0.1 is 1, not 0.9999999999999999.
    value.amount = step.factor ? value.amount * step.by.amount : low.amount + count * step.by.amount;
  }
  return values;
}

// --- keys of the scenario that are not a study's to set --------------------------------------------------------

/// `processes[0].name` begins with `processes`.
std::string first_key(const std::string& path) { return path.substr(0, path.find_first_of(".[=")); }

/// Why a study must not set a key, for all points or from one to the other (`varies`); nothing where it may.
std::optional<std::string> why_not_set(const std::string& path, bool varies) {
  const std::string key = first_key(path);
  if (key == "seed") return "seeds are the study's: `seed`, `replications`";
  const bool note = key == "name" || key == "about" || key == "schema" || key == "incident";
  if (varies && note) return fmt::format("nothing of a run hangs on `{}`: all points would be the same", key);
  return std::nullopt;
}

// --- keys whose values are versions of kernels ------------------------------------------------------------------

/// Whether a path is that of a kernel or of a policy, which may be one's version: 6.10 is not 6.1 there.
bool takes_versions(const std::string& path) {
  std::string key = path.substr(path.find_last_of('.') + 1);
  key = key.substr(0, key.find('['));
  return key == "kernel" || key == "policy" || key == "policies" || key == "from";
}

/// A version as the word that names its kernel; other texts as they are.
std::string named_kernel(const std::string& text) { return parse_kernel(text) ? "linux-" + text : text; }

// --- the study ----------------------------------------------------------------------------------------------

class StudyReader {
 public:
  /// `whole`: the study that this one is the smaller size of. Expressions may name its words, too.
  explicit StudyReader(Diagnostics& diagnostics, const Study* whole = nullptr)
      : diagnostics_(diagnostics), whole_(whole) {}

  Study read(YamlMap& map) {
    assign(study_.name, map.require("name"), name_of);
    assign(study_.about, map.find("about"), text_of);
    if (const auto policies = map.find("policies")) read_policies(*policies);
    if (const auto set = map.find("set")) study_.settings = read_settings(*set, false);
    if (const auto axes = map.require("axes")) read_axes(*axes);
    read_scenario_name(map);
    if (const auto zip = map.find("zip")) read_zips(*zip);
    if (const auto derive = map.find("derive")) read_derived(*derive);
    if (const auto only_if = map.find("only_if")) read_constraints(*only_if);
    assign(study_.replications, map.find("replications"), count_up_to(kMostReplications));
    assign(study_.seed, map.find("seed"), [](const YamlField& field) {
      return field.whole_number(0, std::numeric_limits<std::int64_t>::max() - kMostReplications);
    });
    if (const auto measure = map.find("measure")) read_measures(*measure);
    read_precision(map);
    if (const auto find = map.find("find")) read_find(*find);
    if (const auto sensitivity = map.find("sensitivity")) read_sensitivity(*sensitivity);
    (void)map.find("smoke");
    map.refuse_unknown();
    return std::move(study_);
  }

 private:
  // --- what is varied

  void read_scenario_name(YamlMap& map) {
    const bool axis = study_.axis("scenario") != nullptr;
    const auto field = map.require_if(!axis, "scenario", ": its base, a name or a file");
    if (axis && field) field->refuse("expected either `scenario` or an axis of this name, found both");
    if (!field) return;
    assign(study_.scenario, field, text_of);
    study_.scenario_at = field->node().at;
  }

  void read_policies(const YamlField& field) {
    if (field.is_word("all")) {
      study_.policies.kind = YamlNode::Kind::sequence;
      study_.policies.at = field.node().at;
      for (const ConfigEntry& shipped : list_configs(ConfigKind::policies)) {
        YamlNode name;
        name.kind = YamlNode::Kind::scalar;
        name.at = field.node().at;
        name.scalar = shipped.name;
        study_.policies.entries.push_back({{}, {}, name});
      }
      return;
    }
    if (!field.items("`all` or a list of policies such as [write_held, downgrade]").empty()) {
      study_.policies = field.node();
    }
  }

  /// `varies`: they are those of one value of an axis.
  static std::vector<Setting> read_settings(const YamlField& field, bool varies) {
    std::vector<Setting> settings;
    const YamlMap map = field.map("a map of settings such as {memory.size: 8GiB, machine.cpus: 4}");
    for (const YamlMap::Item& item : map.items()) {
      if (const auto why_not = why_not_set(item.key, varies)) map.refuse_key(item, *why_not);
      settings.push_back({fmt::format("{}={}", item.key, to_flow(item.value.node())), item.value.node().at});
    }
    return settings;
  }

  void read_axes(const YamlField& field) {
    const YamlMap map = field.map("a map of axes such as {region: {set: PATH, values: [1GiB, 2GiB]}}");
    for (const YamlMap::Item& item : map.items()) {
      const bool name = is_axis_name(item.key);
      if (!name) map.refuse_key(item, "expected a name of letters, digits and '_', as expressions use it");
      read_axis(item);
    }
  }

  static bool is_axis_name(const std::string& text) {
    const auto expression = parse_expression(text);
    return expression && expression->kind == Expression::Kind::name;
  }

  void read_axis(const YamlMap::Item& item) {
    Axis axis;
    axis.name = item.key;
    YamlMap map = item.value.map("a map such as {set: PATH, values: [1, 2, 4]}");
    const auto set = map.find("set");
    const auto values = map.require("values", fmt::format(": {}", kValuesExpected));
    const std::vector<std::string> paths = set ? read_paths(*set) : std::vector<std::string>{};
    if (values) axis.values = read_values(*values, paths, set.has_value());
    const bool named = values && values->node().kind == YamlNode::Kind::map;
    const bool of_scenarios = axis.name == "scenario";
    if (set && named) set->refuse("the values are maps that say themselves what they set");
    if (set && of_scenarios) set->refuse("an axis called scenario sets nothing: its values are scenarios");
    if (!set && !named && !of_scenarios && values) {
      item.value.refuse("missing `set`: the key of the scenario that the values are for");
    }
    if (const auto when = map.find("when")) axis.when = constraint_of(*when);
    map.refuse_unknown();
    axis.type = common_type(axis.values);
    study_.axes.push_back(std::move(axis));
  }

  static std::vector<std::string> read_paths(const YamlField& field) {
    constexpr std::string_view kExpected = "a path such as memory.size, or a list of them";
    std::vector<YamlField> items{field};
    if (field.node().kind == YamlNode::Kind::sequence) items = field.items(kExpected);
    std::vector<std::string> paths;
    for (const YamlField& item : items) {
      const auto path = item.text(kExpected);
      if (!path) continue;
      if (const auto why_not = why_not_set(*path, true)) item.refuse(*why_not);
      paths.push_back(*path);
    }
    return paths;
  }

  std::vector<AxisValue> read_values(const YamlField& field, const std::vector<std::string>& paths, bool sets) {
    field.could_be(kRangeExpected);
    switch (field.node().kind) {
      case YamlNode::Kind::map:
        return named_values(field);
      case YamlNode::Kind::sequence:
        return listed_values(field, paths);
      case YamlNode::Kind::scalar:
        if (sets) return values_of_range(field, paths);
        break;
      case YamlNode::Kind::null:
        break;
    }
    field.refuse_expecting(kValuesExpected);
    return {};
  }

  std::vector<AxisValue> named_values(const YamlField& field) {
    std::vector<AxisValue> values;
    const YamlMap map = field.map();
    for (const YamlMap::Item& item : map.items()) {
      std::vector<Setting> settings = read_settings(item.value, true);
      const bool versions = std::any_of(settings.begin(), settings.end(), [](const Setting& setting) {
        return takes_versions(setting.set.substr(0, setting.set.find('=')));
      });
      const std::string label = versions ? named_kernel(item.key) : item.key;
      values.push_back({label, value_of(label), std::move(settings), item.key_at});
    }
    if (values.empty()) field.refuse("expected at least one value, found none");
    return values;
  }

  static std::vector<AxisValue> listed_values(const YamlField& field, const std::vector<std::string>& paths) {
    std::vector<AxisValue> values;
    const bool versions = std::any_of(paths.begin(), paths.end(), takes_versions);
    for (const YamlField& item : field.items("a list of at least one value")) {
      const std::string text = to_flow(item.node());
      std::string label = item.node().kind == YamlNode::Kind::scalar ? item.node().scalar : text;
      if (versions) label = named_kernel(label);
      AxisValue value{label, value_of(label), {}, item.node().at};
      for (const std::string& path : paths) value.settings.push_back({fmt::format("{}={}", path, text), value.at});
      const bool twice = std::any_of(values.begin(), values.end(), [&](const AxisValue& other) {
        return other.label == value.label || (other.value.type != ValueType::word && other.value == value.value);
      });
      if (twice) item.refuse(fmt::format("the value {} is there already", value.label));
      values.push_back(std::move(value));
    }
    return values;
  }

  static std::vector<AxisValue> values_of_range(const YamlField& field, const std::vector<std::string>& paths) {
    std::vector<AxisValue> values;
    if (std::any_of(paths.begin(), paths.end(), takes_versions)) {
      field.refuse_expecting("a list such as [6.1, 6.10]: versions are no numbers");
      return values;
    }
    const auto range = field.parsed(parse_range, kRangeExpected);
    if (!range) return values;
    for (const Value& each : *range) {
      const auto text = spell(each);
      if (!text) {
        field.refuse(fmt::format("in the range: {}", text.message()));
        break;
      }
      AxisValue value{*text, each, {}, field.node().at};
      for (const std::string& path : paths) value.settings.push_back({path + "=" + *text, value.at});
      values.push_back(std::move(value));
    }
    return values;
  }

  /// One type for all, or words: then each value is what is written.
  static ValueType common_type(std::vector<AxisValue>& values) {
    if (values.empty()) return ValueType::word;
    const ValueType first = values.front().value.type;
    const bool same =
        std::all_of(values.begin(), values.end(), [&](const AxisValue& value) { return value.value.type == first; });
    if (same) return first;
    for (AxisValue& value : values) value.value = {ValueType::word, 0, value.label};
    return ValueType::word;
  }

  void read_zips(const YamlField& field) {
    for (const YamlField& group : field.items("a list of lists of axes such as [[region, memory]]")) {
      std::vector<std::size_t> zip;
      for (const YamlField& item : group.items("a list of at least two axes")) {
        const std::size_t number = axis_of(item).value_or(study_.axes.size());
        if (number == study_.axes.size()) continue;
        const bool again = zipped_.size() > number && zipped_[number];
        zipped_.resize(study_.axes.size());
        if (again) item.refuse("this axis is zipped already");
        if (study_.axes[number].when) item.refuse("an axis with `when` cannot be zipped");
        zipped_[number] = true;
        zip.push_back(number);
      }
      if (group.node().entries.size() == 1) group.refuse("expected at least two axes to zip, found one");
      check_lengths(group, zip);
      std::sort(zip.begin(), zip.end());
      study_.zips.push_back(std::move(zip));
    }
  }

  void check_lengths(const YamlField& group, const std::vector<std::size_t>& zip) const {
    for (const std::size_t number : zip) {
      const Axis& first = study_.axes[zip.front()];
      const Axis& other = study_.axes[number];
      if (first.values.size() == other.values.size()) continue;
      group.refuse(fmt::format("zipped axes need as many values each: {} has {}, {} has {}", first.name,
                               first.values.size(), other.name, other.values.size()));
      return;
    }
  }

  std::optional<std::size_t> axis_of(const YamlField& field) const {
    const auto name = field.text("the name of an axis");
    if (!name) return std::nullopt;
    std::vector<std::string> names;
    for (std::size_t number = 0; number < study_.axes.size(); ++number) {
      if (study_.axes[number].name == *name) return number;
      names.push_back(study_.axes[number].name);
    }
    field.refuse_expecting("the name of an axis", did_you_mean(*name, names));
    return std::nullopt;
  }

  // --- expressions

  [[nodiscard]] std::vector<KnownName> names() const {
    std::vector<KnownName> known;
    for (const Axis& axis : study_.axes) {
      KnownName name{axis.name, axis.type, {}};
      for (const AxisValue& value : axis.values) name.words.push_back(value.label);
      const Axis* const larger = whole_ == nullptr ? nullptr : whole_->axis(axis.name);
      if (larger != nullptr && larger->type == ValueType::word) {
        for (const AxisValue& value : larger->values) name.words.push_back(value.label);
      }
      known.push_back(std::move(name));
    }
    return known;
  }

  /// An expression with the type that it has; nothing after a diagnostic.
  std::optional<std::pair<Expression, ValueType>> expression_of(const YamlField& field, bool measures = false) const {
    auto expression = field.parsed(parse_expression, "an expression such as `region >= 1GiB`");
    if (!expression) return std::nullopt;
    const auto type = type_of(*expression, names(), measures);
    if (type) return std::pair(std::move(*expression), *type);
    // Nothing is known about axes that could not be read: they are reported already.
    const bool all_read =
        std::none_of(study_.axes.begin(), study_.axes.end(), [](const Axis& axis) { return axis.values.empty(); });
    if (all_read) field.refuse(fmt::format("in '{}': {}", field.node().scalar, type.message()));
    return std::nullopt;
  }

  std::optional<Expression> condition_of(const YamlField& field, bool measures = false) const {
    auto read = expression_of(field, measures);
    if (!read) return std::nullopt;
    if (read->second == ValueType::truth) return std::move(read->first);
    field.refuse_expecting("a condition such as `region >= 1GiB`");
    return std::nullopt;
  }

  std::optional<Condition> constraint_of(const YamlField& field) const {
    auto expression = condition_of(field);
    if (!expression) return std::nullopt;
    return Condition{std::move(*expression), field.node().scalar, field.node().at};
  }

  void read_derived(const YamlField& field) {
    const YamlMap map = field.map("a map such as {machine.cpus: faulters + 2}");
    for (const YamlMap::Item& item : map.items()) {
      if (const auto why_not = why_not_set(item.key, true)) map.refuse_key(item, *why_not);
      auto value = expression_of(item.value);
      if (value) study_.derived.push_back({item.key, std::move(value->first), item.value.node().at});
    }
  }

  void read_constraints(const YamlField& field) {
    std::vector<YamlField> conditions{field};
    if (field.node().kind == YamlNode::Kind::sequence) conditions = field.items("a list of conditions");
    for (const YamlField& each : conditions) {
      if (auto condition = constraint_of(each)) study_.only_if.push_back(std::move(*condition));
    }
  }

  void read_measures(const YamlField& field) {
    std::vector<YamlField> measures{field};
    if (field.node().kind == YamlNode::Kind::sequence) measures = field.items("a list of measures");
    for (const YamlField& each : measures) {
      const auto measure = each.parsed(parse_measure, "a measure such as p99(faulter.munlock)");
      if (!measure) continue;
      if (!measure->policy.empty()) {
        each.refuse("a measure is taken under every policy: name none");
      } else {
        study_.measures.push_back(*measure);
      }
    }
  }

  // --- what is to be learnt

  void read_precision(YamlMap& map) {
    const auto precision = map.find("precision");
    const auto at_most = map.find("at_most");
    study_.at_most = study_.replications;
    if (precision) {
      study_.precision = percentage_of(*precision);
      if (study_.measures.empty()) precision->refuse("missing `measure`: what is to be known so precisely");
      study_.at_most = std::max(study_.replications, judgement::kAtMostReplications);
      study_.replications = std::max(study_.replications, 2);
    }
    assign(study_.at_most, at_most, count_up_to(kMostReplications));
    if (at_most && !precision) at_most->refuse("at_most goes with `precision`");
    if (at_most && study_.at_most < study_.replications) {
      at_most->refuse_expecting(fmt::format("at least the {} `replications`", study_.replications));
    }
  }

  static std::optional<double> percentage_of(const YamlField& field) {
    constexpr std::string_view kExpected = "a percentage above 0% and up to 100%, such as 5%";
    const auto written = field.text(kExpected);
    if (!written) return std::nullopt;
    const Value value = value_of(written->ends_with('%') ? written->substr(0, written->size() - 1) : "none");
    if (value.type == ValueType::number && value.amount > 0 && value.amount <= 100) return value.amount / 100;
    field.refuse_expecting(kExpected);
    return std::nullopt;
  }

  void read_find(const YamlField& field) {
    YamlMap map = field.map("a map such as {axis: region, where: \"p999(faulter.munlock, downgrade) > 1ms\"}");
    const auto axis_field = map.require("axis");
    const auto where = map.require("where");
    const std::size_t none = study_.axes.size();
    const std::size_t number = axis_field ? axis_of(*axis_field).value_or(none) : none;
    auto condition = where ? condition_of(*where, true) : std::nullopt;
    map.refuse_unknown();
    if (condition && measures_of(*condition).empty()) where->refuse("expected a measure in it: nothing is to be found");
    if (condition) refuse_measures_without_policy(*where, *condition);
    if (number != none) check_searchable(*axis_field, number);
    if (study_.precision) field.refuse("`find` and `precision` do not go together");
    if (number != none && condition) {
      study_.find = Find{study_.axes[number].name, std::move(*condition), where->node().scalar};
    }
  }

  static void refuse_measures_without_policy(const YamlField& where, const Expression& condition) {
    for (const Measure& measure : measures_of(condition)) {
      if (!measure.policy.empty()) continue;
      where.refuse(fmt::format("{}: name the policy, too, such as {}({}.{}, downgrade)", to_text(measure),
                               measure.statistic, measure.class_name, measure.phase));
    }
  }

  void check_searchable(const YamlField& field, std::size_t number) const {
    const Axis& axis = study_.axes[number];
    if (axis.type == ValueType::word) field.refuse(fmt::format("{} has no order: it is an axis of words", axis.name));
    if (axis.when || (zipped_.size() > number && zipped_[number])) {
      field.refuse("an axis that is zipped or has `when` cannot be searched");
    }
    const auto unordered =
        std::adjacent_find(axis.values.begin(), axis.values.end(),
                           [](const AxisValue& a, const AxisValue& b) { return a.value.amount >= b.value.amount; });
    if (axis.type != ValueType::word && unordered != axis.values.end()) {
      field.refuse(fmt::format("the values of {} must rise", axis.name));
    }
  }

  void read_sensitivity(const YamlField& field) {
    SensitivitySpec spec;
    YamlMap map = field.map("a map such as {factors: [machine.costs.fault], range: 0.5..2, trajectories: 10}");
    if (const auto factors = map.require("factors")) {
      for (const YamlField& item : factors->items("a list of paths such as [machine.costs.fault]")) {
        if (const auto path = item.text("a path such as machine.costs.fault")) {
          if (const auto why_not = why_not_set(*path, true)) item.refuse(*why_not);
          spec.factors.emplace_back(*path, item.node().at);
        }
      }
    }
    if (const auto range = map.find("range")) read_factor_range(*range, spec);
    assign(spec.trajectories, map.find("trajectories"), count_up_to(1000));
    map.refuse_unknown();
    if (study_.measures.empty()) field.refuse("missing `measure`: what may hang on the factors");
    if (!study_.axes.empty()) field.refuse("the factors are the axes of such a study: expected `axes: {}`");
    if (study_.find || study_.precision) field.refuse("`sensitivity` goes with neither `find` nor `precision`");
    study_.sensitivity = std::move(spec);
  }

  static void read_factor_range(const YamlField& field, SensitivitySpec& spec) {
    constexpr std::string_view kExpected = "a range around 1 such as 0.5..2";
    const auto written = field.text(kExpected);
    if (!written) return;
    const std::size_t dots = written->find("..");
    const Value low = value_of(written->substr(0, dots));
    const Value high = value_of(dots == std::string::npos ? "none" : written->substr(dots + 2));
    const bool numbers = low.type == ValueType::number && high.type == ValueType::number;
    if (!numbers || low.amount <= 0 || low.amount >= 1 || high.amount <= 1 || high.amount > 1000) {
      field.refuse_expecting(kExpected);
      return;
    }
    spec.low = low.amount;
    spec.high = high.amount;
  }

  Diagnostics& diagnostics_;
  const Study* whole_;
  Study study_;
  std::vector<bool> zipped_;
};

/// Puts `values` in the place of those of the axis.
void replace_values(YamlNode& axes, const YamlMap::Item& smaller, const YamlMap& smoke) {
  std::vector<std::string> names;
  for (const YamlEntry& entry : axes.entries) names.push_back(entry.key);
  YamlEntry* const axis = find_entry(axes, smaller.key);
  if (axis == nullptr) {
    smoke.refuse_key(smaller, "there is no such axis" + did_you_mean(smaller.key, names));
    return;
  }
  if (YamlEntry* const values = find_entry(axis->value, "values")) values->value = smaller.value.node();
}

/// The study that `smoke` describes, in the place of the whole one. Its mistakes are reported for every size.
YamlNode smoke_size(YamlNode root, Diagnostics& diagnostics) {
  const YamlNode original = root;
  YamlMap top = YamlField(original, "", diagnostics).map();
  const auto field = top.find("smoke");
  if (!field) return root;
  YamlMap smoke = field->map("a map such as {axes: {region: [64MiB]}, replications: 1}");
  if (const auto axes = smoke.find("axes")) {
    const YamlMap map = axes->map("a map from axes to values");
    YamlEntry* const all = find_entry(root, "axes");
    for (const YamlMap::Item& item : map.items()) {
      if (all != nullptr) replace_values(all->value, item, map);
    }
  }
  for (const char* const key : {"replications", "precision", "at_most", "policies", "set", "sensitivity"}) {
    const auto smaller = smoke.find(key);
    if (!smaller) continue;
    YamlNode over;
    over.kind = YamlNode::Kind::map;
    over.entries.push_back({key, smaller->node().at, smaller->node()});
    root = overlay(std::move(root), over);
  }
  smoke.refuse_unknown();
  return root;
}

void keep_new(const Diagnostics& found, Diagnostics& all) {
  for (const Diagnostic& each : found) {
    if (std::find(all.begin(), all.end(), each) == all.end()) all.push_back(each);
  }
}

}  // namespace

const Axis* Study::axis(const std::string& axis_name) const {
  const auto found = std::find_if(axes.begin(), axes.end(), [&](const Axis& axis) { return axis.name == axis_name; });
  return found == axes.end() ? nullptr : &*found;
}

Study read_study(const std::filesystem::path& file, bool smoke) {
  Diagnostics diagnostics;
  const YamlNode root = load_yaml(file, diagnostics);
  if (root.kind == YamlNode::Kind::null && !diagnostics.empty()) throw InputError(diagnostics);
  return read_study(root, file, smoke, std::move(diagnostics));
}

Study read_study(const YamlNode& root, const std::filesystem::path& file, bool smoke, Diagnostics diagnostics) {
  YamlMap whole = open_config(root, ConfigKind::studies, diagnostics);
  if (!whole) throw InputError(diagnostics);
  Study study = StudyReader(diagnostics).read(whole);
  // Both sizes are read, whichever is wanted, so that `check` finds what is wrong with either.
  Diagnostics of_smoke;
  const YamlNode smaller = smoke_size(root, of_smoke);
  YamlMap small = open_config(smaller, ConfigKind::studies, of_smoke);
  Study small_study = StudyReader(of_smoke, &study).read(small);
  keep_new(of_smoke, diagnostics);
  if (!diagnostics.empty()) throw InputError(diagnostics);
  Study chosen = smoke ? std::move(small_study) : std::move(study);
  chosen.smoke = smoke;
  chosen.file = file;
  return chosen;
}

Expected<std::vector<Value>> parse_range(const std::string& text) {
  std::vector<std::string> words;
  const std::string trimmed = boost::algorithm::trim_copy(text);
  boost::algorithm::split(words, trimmed, boost::algorithm::is_space(), boost::algorithm::token_compress_on);
  const std::size_t dots = words[0].find("..");
  if (dots == std::string::npos || words.size() > 2) {
    return Refusal{fmt::format("expected {}, found '{}'", kValuesExpected, text)};
  }
  const Value low = value_of(words[0].substr(0, dots));
  const Value high = value_of(words[0].substr(dots + 2));
  if (low.type == ValueType::word || high.type != low.type) {
    return Refusal{fmt::format("expected two numbers, sizes or durations in '{}'", words[0])};
  }
  if (high.amount < low.amount) {
    return Refusal{fmt::format("expected the lower end first, found '{}'", words[0])};
  }
  if (words.size() == 1 && low.type != ValueType::number) {
    return Refusal{fmt::format("expected a step after '{}', such as x2 or +{}", words[0], words[0].substr(0, dots))};
  }
  const auto step =
      words.size() == 2 ? parse_step(words[1], low.type) : Expected<Step>(Step{false, {ValueType::number, 1}});
  if (!step) return Refusal{step.message()};
  if (step->factor && low.amount <= 0) return Refusal{"a range by a factor must begin above zero"};
  return values_between(low, high, *step);
}

}  // namespace experiments
