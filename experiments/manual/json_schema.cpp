#include "experiments/manual/json_schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <regex>

#include "experiments/scenario/locker_file.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

/// The texts that have a form.
const std::vector<TextForm>& known_forms() {
  static const std::vector<TextForm> forms = [] {
    std::vector<TextForm> all = text_forms();
    all.push_back(step_form());
    return all;
  }();
  return forms;
}

const TextForm* form_of(const std::string& expected) {
  const auto found = std::find_if(known_forms().begin(), known_forms().end(),
                                  [&](const TextForm& form) { return form.expected == expected; });
  return found == known_forms().end() ? nullptr : &*found;
}

Json any_text() { return {{"type", {"string", "number", "boolean"}}, {"minLength", 1}}; }

Json text_of_form(const TextForm& form) {
  // What YAML takes for a number or a truth may be a name all the same.
  const std::regex pattern(form.pattern);
  Json type = "string";
  if (std::regex_search("15", pattern)) type = {"string", "number", "boolean"};
  return {{"description", form.expected}, {"type", type}, {"pattern", form.pattern}};
}

/// A word may be what YAML takes for a number, a truth or nothing.
Json words_schema(const std::vector<std::string>& words) {
  Json values = Json::array();
  for (const std::string& word : words) {
    values.push_back(word);
    const Json other = Json::parse(word, nullptr, false);
    if (other.is_number() || other.is_boolean()) values.push_back(other);
  }
  return {{"enum", values}};
}

void add_limits(Json& schema, const YamlShape::Number& number) {
  constexpr double kExact = 9007199254740992;  // 2^53: what is beyond is not told apart
  const auto bound = [&](double value) { return number.whole ? Json(static_cast<std::int64_t>(value)) : Json(value); };
  if (std::abs(number.low) < kExact) schema["minimum"] = bound(number.low);
  if (number.high && std::abs(*number.high) < kExact) schema["maximum"] = bound(*number.high);
}

class SchemaWriter {
 public:
  explicit SchemaWriter(ConfigKind kind) : kind_(kind) {}

  /// `relaxed`: what is missing comes from another file.
  Json schema(const YamlShape& shape, const std::string& path, bool relaxed) {
    if (shape.anything()) return Json::object();
    Json options = Json::array();
    if (!shape.words.empty()) options.push_back(words_schema(shape.words));
    for (Json& each : texts(shape)) options.push_back(std::move(each));
    if (shape.number) add_numbers(*shape.number, options);
    if (shape.truth) {
      options.push_back({{"type", "boolean"}});
      options.push_back({{"type", "string"}, {"pattern", "^(true|false)$"}});
    }
    if (shape.item) options.push_back(list(shape, path));
    if (shape.map) options.push_back(map(shape, path, relaxed));
    if (options.size() == 1) return options.front();
    return {{"anyOf", options}};
  }

  /// The forms that have been used.
  [[nodiscard]] Json definitions() const {
    Json all = Json::object();
    for (const TextForm& form : known_forms()) {
      if (std::find(used_.begin(), used_.end(), form.name) != used_.end()) all[form.name] = text_of_form(form);
    }
    return all;
  }

 private:
  /// Where any text may stand, all others are in it.
  std::vector<Json> texts(const YamlShape& shape) {
    std::vector<Json> schemas;
    for (const std::string& expected : shape.texts) {
      const TextForm* const form = form_of(expected);
      if (form == nullptr) {
        Json text = any_text();
        text["description"] = expected;
        return {text};
      }
      used_.push_back(form->name);
      schemas.push_back({{"$ref", "#/definitions/" + form->name}});
    }
    return schemas;
  }

  static void add_numbers(const YamlShape::Number& number, Json& options) {
    Json schema{{"type", number.whole ? "integer" : "number"}};
    add_limits(schema, number);
    options.push_back(schema);
    options.push_back({{"type", "string"}, {"pattern", number.whole ? "^-?[0-9]+$" : "^-?[0-9.]+([eE][-+]?[0-9]+)?$"}});
  }

  Json list(const YamlShape& shape, const std::string& path) {
    Json schema{{"type", "array"}, {"items", this->schema(*shape.item, path + "[]", false)}};
    if (!shape.empty_list) schema["minItems"] = 1;
    return schema;
  }

  Json map(const YamlShape& shape, const std::string& path, bool relaxed) {
    const std::vector<std::string> variants = shape.variants();
    if (variants.empty()) return map_of(shape, path, relaxed, {});
    Json options = Json::array();
    for (const std::string& variant : variants) options.push_back(map_of(shape, path, relaxed, variant));
    return {{"anyOf", options}};
  }

  /// A map of one kind.
  Json map_of(const YamlShape& shape, const std::string& path, bool relaxed, const std::string& variant) {
    const bool derived = shape.key("from") != nullptr;
    Json schema{{"type", "object"}};
    if (!variant.empty()) schema["title"] = variant;
    Json properties = Json::object();
    std::vector<std::string> required;
    for (const YamlKey& key : shape.keys) {
      if (!key.variant.empty() && key.variant != variant) continue;
      properties[key.name] = key_schema(key, path, relaxed || derived, variant);
      if (key.required && !relaxed) required.push_back(key.name);
    }
    schema["properties"] = std::move(properties);
    if (shape.named) schema["additionalProperties"] = this->schema(*shape.named, path + ".*", relaxed);
    if (shape.closed && !shape.named) schema["additionalProperties"] = false;
    if (required.empty()) return schema;
    if (!derived) {
      schema["required"] = required;
      return schema;
    }
    // What another file or a kernel has need not be said again.
    Json said = Json::array();
    for (const char* const other : {"from", "kernel"}) {
      if (shape.key(other) != nullptr) said.push_back({{"required", Json::array({other})}});
    }
    schema["if"] = {{"not", {{"anyOf", said}}}};
    schema["then"] = {{"required", required}};
    return schema;
  }

  Json key_schema(const YamlKey& key, const std::string& path, bool relaxed, const std::string& variant) {
    const std::string own = path_of_key(path, key);
    const std::vector<std::string>& words = key.value->words;
    const bool names_variant = !variant.empty() && std::find(words.begin(), words.end(), variant) != words.end();
    Json schema = names_variant ? words_schema({variant}) : this->schema(*key.value, own, relaxed);
    const std::string_view said = words_of_key(kind_, own);
    if (said.empty()) return schema;
    Json with_words{{"description", said}};
    // Beside $ref nothing counts.
    if (schema.contains("$ref")) {
      with_words["allOf"] = Json::array({schema});
    } else {
      with_words.update(schema);
      with_words["description"] = said;
    }
    return with_words;
  }

  ConfigKind kind_;
  std::vector<std::string> used_;
};

}  // namespace

Json json_schema(const FileFormat& format) {
  SchemaWriter writer(format.kind);
  Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"},
              {"title", fmt::format("mlocksim {}", format.name)},
              {"description", format.about}};
  schema.update(writer.schema(format.shape, "", false));
  schema["definitions"] = writer.definitions();
  return schema;
}

std::string json_schema_text(const FileFormat& format) { return json_schema(format).dump(1) + "\n"; }

}  // namespace experiments
