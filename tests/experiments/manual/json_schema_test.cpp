// The schemas beside the readers: on all shipped files, and on mutants of them.
#include "experiments/manual/json_schema.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/device_file.h"
#include "experiments/scenario/locker_file.h"
#include "experiments/scenario/machine_file.h"
#include "experiments/scenario/policy_file.h"
#include "experiments/scenario/scenario_file.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_text.h"
#include "experiments/scenario/yaml_values.h"
#include "experiments/study/study_file.h"
#include "tests/support/command_line.h"
#include "tests/support/config_files.h"

namespace experiments::json_schema_test {
namespace {

using PlainJson = nlohmann::json;

std::filesystem::path schema_file(const FileFormat& format) {
  const bool study = format.kind == ConfigKind::studies;
  const std::filesystem::path configs = tests::source_configs();
  return (study ? configs.parent_path() / "experiments" : configs) / "schema" / (format.name + ".json");
}

/// A schema, ready to be asked.
class Validator {
 public:
  explicit Validator(const PlainJson& schema) {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema), schema_);
  }

  /// What it has against `value`; empty: nothing.
  std::string refusal(const PlainJson& value) {
    valijson::ValidationResults results;
    const valijson::adapters::NlohmannJsonAdapter target(value);
    if (validator_.validate(schema_, target, &results)) return {};
    std::string text;
    for (valijson::ValidationResults::Error error; results.popError(error);) {
      for (const std::string& step : error.context) text += step;
      text += ": " + error.description + "\n";
    }
    return text.empty() ? "refused" : text;
  }

 private:
  valijson::Schema schema_;
  valijson::Validator validator_{valijson::Validator::kStrongTypes};
};

Validator& validator_of(ConfigKind kind) {
  static std::map<ConfigKind, std::unique_ptr<Validator>> all;
  std::unique_ptr<Validator>& one = all[kind];
  if (!one) one = std::make_unique<Validator>(PlainJson::parse(json_schema_text(file_format(kind))));
  return *one;
}

/// A scalar as editors read it: the core schema of YAML 1.2.
PlainJson scalar_as_json(const std::string& text) {
  static const std::regex whole("[-+]?[0-9]+");
  static const std::regex number("[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?");
  if (text == "true" || text == "false") return text == "true";
  if (text == "True" || text == "TRUE") return true;
  if (text == "False" || text == "FALSE") return false;
  if (std::regex_match(text, whole) && text.size() < 18) return std::stoll(text);
  if (std::regex_match(text, number)) return std::stod(text);
  return text;
}

PlainJson as_json(const YamlNode& node) {
  PlainJson json;
  switch (node.kind) {
    case YamlNode::Kind::null:
      return nullptr;
    case YamlNode::Kind::scalar:
      return scalar_as_json(node.scalar);
    case YamlNode::Kind::sequence:
      json = PlainJson::array();
      for (const YamlEntry& entry : node.entries) json.push_back(as_json(entry.value));
      return json;
    case YamlNode::Kind::map:
      json = PlainJson::object();
      for (const YamlEntry& entry : node.entries) json[entry.key] = as_json(entry.value);
      return json;
  }
  return json;
}

/// Says of all of a tree that it was written in `file`: parts of a mutant come from others, and of a file that a value
/// is derived from mistakes are told once.
void put_in(const std::string& file, YamlNode& node) {
  node.at.file = file;
  for (YamlEntry& each : node.entries) {
    each.key_at.file = file;
    put_in(file, each.value);
  }
}

/// Whether the reader takes the tree, which stands for `file`.
bool is_read(ConfigKind kind, const YamlNode& root, const std::filesystem::path& file) {
  std::vector<Diagnostic> mistakes;
  try {
    switch (kind) {
      case ConfigKind::scenarios:
      case ConfigKind::incidents:
        (void)read_scenario(root, file.parent_path());
        break;
      case ConfigKind::studies:
        (void)read_study(root, file, false, {});
        break;
      case ConfigKind::policies:
        check_policy(root, mistakes);
        break;
      case ConfigKind::machines:
        check_machine(root, mistakes);
        break;
      case ConfigKind::devices:
        check_device(root, mistakes);
        break;
      case ConfigKind::kernels:
        break;
    }
  } catch (const InputError&) {
    return false;
  }
  return mistakes.empty();
}

struct Shipped {
  ConfigKind kind;
  std::filesystem::path file;
  YamlNode root;
};

std::vector<Shipped> shipped_files() {
  std::vector<Shipped> all;
  for (const ConfigKind kind : {ConfigKind::scenarios, ConfigKind::incidents, ConfigKind::studies, ConfigKind::policies,
                                ConfigKind::machines, ConfigKind::devices}) {
    for (const ConfigEntry& entry : list_files(kind)) {
      std::vector<Diagnostic> mistakes;
      const ConfigKind format = kind == ConfigKind::incidents ? ConfigKind::scenarios : kind;
      all.push_back({format, entry.path, load_yaml(entry.path, mistakes)});
    }
  }
  return all;
}

class JsonSchemas : public tests::ConfigFiles {};

// To write them anew: build/experiments/mlocksim help --schemas configs/schema, and study.json to experiments/schema.
TEST_F(JsonSchemas, ShippedOnesAreThoseOfTheReaders) {
  for (const ConfigKind kind : described_kinds()) {
    const FileFormat format = file_format(kind);
    EXPECT_EQ(tests::text_of(schema_file(format).string()), json_schema_text(format)) << schema_file(format);
  }
}

TEST_F(JsonSchemas, EachShippedFileNamesItsOwn) {
  for (const Shipped& each : shipped_files()) {
    std::ifstream stream(each.file);
    std::string line;
    std::getline(stream, line);
    const std::string before = "# yaml-language-server: $schema=";
    ASSERT_TRUE(line.starts_with(before)) << each.file;
    const auto named = std::filesystem::weakly_canonical(each.file.parent_path() / line.substr(before.size()));
    const std::string own = singular(each.kind) + ".json";
    EXPECT_EQ(named.filename(), own) << each.file;
    EXPECT_TRUE(std::filesystem::exists(named)) << named;
  }
}

TEST_F(JsonSchemas, AcceptAllShippedFiles) {
  for (const Shipped& each : shipped_files()) {
    EXPECT_EQ(validator_of(each.kind).refusal(as_json(each.root)), "") << each.file;
  }
}

// --- mutants --------------------------------------------------------------------------------------------------

/// Makes mistakes, and some things that are none, as somebody does who edits a file.
class Mutator {
 public:
  explicit Mutator(const std::vector<Shipped>& files) {
    for (const Shipped& each : files) collect(each.root);
  }

  YamlNode mutate(YamlNode root) {
    const int times = 1 + static_cast<int>(below(2));
    for (int each = 0; each < times; ++each) change(any_node(root));
    return root;
  }

 private:
  std::size_t below(std::size_t count) { return random_() % count; }

  void collect(const YamlNode& node) {
    if (node.kind == YamlNode::Kind::scalar) scalars_.push_back(node.scalar);
    for (const YamlEntry& entry : node.entries) {
      if (node.kind == YamlNode::Kind::map) entries_.push_back(entry);
      collect(entry.value);
    }
  }

  static void list(YamlNode& node, std::vector<YamlNode*>& all) {
    all.push_back(&node);
    for (YamlEntry& entry : node.entries) list(entry.value, all);
  }

  YamlNode& any_node(YamlNode& root) {
    std::vector<YamlNode*> all;
    list(root, all);
    return *all[below(all.size())];
  }

  void change(YamlNode& node) {
    const bool has_items = !node.entries.empty();
    switch (below(8)) {
      case 0:
        if (has_items)
          node.entries.erase(node.entries.begin() + static_cast<std::ptrdiff_t>(below(node.entries.size())));
        return;
      case 1:
        if (node.kind == YamlNode::Kind::map) add(node, entries_[below(entries_.size())]);
        return;
      case 2:
        if (has_items && node.kind == YamlNode::Kind::map) node.entries[below(node.entries.size())].key += "s";
        return;
      case 3:
        node.kind = YamlNode::Kind::scalar;
        node.scalar = scalars_[below(scalars_.size())];
        node.entries.clear();
        return;
      case 4:
        if (node.kind == YamlNode::Kind::scalar && !node.scalar.empty()) node.scalar.pop_back();
        return;
      case 5:
        wrap(node);
        return;
      case 6: {
        static const std::vector<std::string> kOdd{"-1",  "0",  "1",    "2",   "true", "no",
                                                   "1e3", "10", "4KiB", "1ms", "all",  "none"};
        node.kind = YamlNode::Kind::scalar;
        node.scalar = kOdd[below(kOdd.size())];
        node.entries.clear();
        return;
      }
      default:
        // The same key with what it holds elsewhere.
        for (YamlEntry& entry : node.entries) {
          if (const YamlEntry* const other = entry_called(entry.key)) entry.value = other->value;
        }
    }
  }

  static void add(YamlNode& map, const YamlEntry& entry) {
    if (find_entry(map, entry.key) == nullptr) map.entries.push_back(entry);
  }

  static void wrap(YamlNode& node) {
    YamlNode list;
    list.kind = YamlNode::Kind::sequence;
    list.at = node.at;
    list.entries.push_back({{}, {}, node});
    node = list;
  }

  const YamlEntry* entry_called(const std::string& key) {
    std::vector<const YamlEntry*> found;
    for (const YamlEntry& entry : entries_) {
      if (entry.key == key) found.push_back(&entry);
    }
    return found.empty() || below(2) == 0 ? nullptr : found[below(found.size())];
  }

  std::mt19937 random_{28};
  std::vector<std::string> scalars_;
  std::vector<YamlEntry> entries_;
};

// What the readers accept the schemas accept; of what the readers refuse the schemas refuse most.
TEST_F(JsonSchemas, AcceptEachOfThousandsOfMutantsThatTheReadersAccept) {
  const std::vector<Shipped> files = shipped_files();
  Mutator mutator(files);
  constexpr int kMutants = 3000;
  int accepted = 0;
  int refused = 0;
  int refused_by_both = 0;
  for (int each = 0; each < kMutants; ++each) {
    const Shipped& original = files[static_cast<std::size_t>(each) % files.size()];
    YamlNode mutant = mutator.mutate(original.root);
    put_in(original.file.string(), mutant);
    const bool read = is_read(original.kind, mutant, original.file);
    const std::string refusal = validator_of(original.kind).refusal(as_json(mutant));
    (read ? accepted : refused) += 1;
    refused_by_both += !read && !refusal.empty() ? 1 : 0;
    EXPECT_TRUE(!read || refusal.empty()) << refusal << original.file << "\n" << to_flow(mutant);
  }
  RecordProperty("accepted", accepted);
  RecordProperty("refused", refused);
  RecordProperty("refused_by_both", refused_by_both);
  fmt::print("of {} mutants the readers accept {}; of the {} others the schemas refuse {}\n", kMutants, accepted,
             refused, refused_by_both);
  EXPECT_GT(accepted, kMutants / 10);
  EXPECT_GT(refused_by_both, refused * 6 / 10);
}

// --- forms ----------------------------------------------------------------------------------------------------

// A pattern that is narrower than the reader would refuse what is right.
TEST_F(JsonSchemas, PatternsMatchWhatIsRead) {
  const std::map<std::string, std::vector<std::string>> right{
      {"name", {"a", "linux-6.1", "A_b.c-9", "6", "true"}},
      {"duration", {"250ns", "1.5us", "1.5\u00b5s", "3\u03bcs", "0ns", "10ms", "3s", "007s"}},
      {"size", {"4GiB", "0B", "1.5MiB", "512KiB", "1TiB", "7B"}},
      {"rate", {"400MiB/s", "1.5GiB/s", "1B/s"}},
      {"distribution",
       {"1ms", "constant 1ms", "uniform 10us 20us", "exponential 50us", "lognormal median 1us p99 5us",
        "uniform  10us   20us"}}};
  for (const TextForm& form : text_forms()) {
    for (const std::string& text : right.at(form.name)) {
      EXPECT_TRUE(std::regex_search(text, std::regex(form.pattern))) << form.name << ": " << text;
    }
  }
  EXPECT_TRUE(parse_distribution("uniform  10us   20us"));
  for (const char* const step :
       {"mlock", "munmap 64MiB pause 10ms", "mmap locked", "brk -1MiB", "hold 100ms", "exit"}) {
    EXPECT_TRUE(std::regex_search(step, std::regex(step_form().pattern))) << step;
  }
}

TEST_F(JsonSchemas, RefuseWhatAnEditorIsToUnderline) {
  const auto scenario = [](const std::string& text) {
    std::vector<Diagnostic> mistakes;
    return validator_of(ConfigKind::scenarios).refusal(as_json(parse_yaml(text, {"s.yaml", 1, 1}, mistakes)));
  };
  using tests::kScenario;
  using tests::with;
  EXPECT_EQ(scenario(kScenario), "");
  EXPECT_NE(scenario(with("size: 1GiB", "size: 1GB")), "");
  EXPECT_NE(scenario(with("memory:", "memmory:")), "");
  EXPECT_NE(scenario(with("run: faulter", "run: fautler")), "");
  EXPECT_NE(scenario(with("count: 2", "count: many")), "");
  EXPECT_NE(scenario(with("mlock, hold", "mlokc, hold")), "");
  EXPECT_NE(scenario(with("run: faulter, count: 2", "run: faulter, script: [mlock]")), "");
  EXPECT_NE(scenario(with("name: small\n", "")), "");
}

}  // namespace
}  // namespace experiments::json_schema_test
