#include "experiments/scenario/yaml_reader.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "experiments/scenario/yaml_text.h"

namespace experiments {

namespace {

thread_local YamlListener* yaml_listener = nullptr;

void ask(const YamlNode& node, const YamlQuestion& question) {
  if (yaml_listener != nullptr) yaml_listener->asked(node, question);
}

/// `Map`: const or not.
template <typename Map>
auto find_in(Map& map, std::string_view key) {
  const auto found =
      std::find_if(map.entries.begin(), map.entries.end(), [&](const YamlEntry& entry) { return entry.key == key; });
  return found == map.entries.end() ? nullptr : &*found;
}

using Diagnostics = std::vector<Diagnostic>;

void report(Diagnostics& diagnostics, const Position& at, std::string path, std::string message) {
  diagnostics.push_back({at.file, at.line, at.column, std::move(path), std::move(message)});
}

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

/// Copies what yaml-cpp has read into our own tree.
class Importer {
 public:
  /// `origin` has a line where the nodes' own lines are to be used.
  Importer(Position origin, Diagnostics& diagnostics) : origin_(std::move(origin)), diagnostics_(diagnostics) {}

  YamlNode import(const YAML::Node& source, const Position& fallback, const std::string& path, int depth = 0) {
    YamlNode node;
    node.at = position_of(source, fallback);
    if (source.IsScalar()) {
      node.kind = YamlNode::Kind::scalar;
      node.scalar = source.Scalar();
    } else if (source.IsSequence() || source.IsMap()) {
      node.kind = source.IsMap() ? YamlNode::Kind::map : YamlNode::Kind::sequence;
      if (!within_limits(node, path, depth)) return node;
      source.IsMap() ? import_map(source, node, path, depth) : import_sequence(source, node, path, depth);
    }
    return node;
  }

 private:
  // Aliases are copied, so a file of a few lines could stand for a tree without end.
  static constexpr int kDeepest = 64;
  static constexpr std::size_t kMostNodes = 100'000;

  [[nodiscard]] Position position_of(const YAML::Node& source, const Position& fallback) const {
    if (origin_.line == 0) return origin_;
    const YAML::Mark mark = source.Mark();
    // yaml-cpp gives an absent value (`key:`) no mark.
    if (mark.is_null() || source.IsNull()) return fallback;
    return {origin_.file, mark.line + 1, mark.column + 1};
  }

  bool within_limits(const YamlNode& node, const std::string& path, int depth) {
    if (depth < kDeepest && nodes_ < kMostNodes) return true;
    if (!std::exchange(refused_, true)) {
      report(diagnostics_, node.at, path, "maps and lists are nested too deeply, or aliases make them too many");
    }
    return false;
  }

  void import_sequence(const YAML::Node& source, YamlNode& node, const std::string& path, int depth) {
    for (const YAML::Node& item : source) {
      ++nodes_;
      const std::string item_path = fmt::format("{}[{}]", path, node.entries.size());
      node.entries.push_back({{}, {}, import(item, node.at, item_path, depth + 1)});
    }
  }

  void import_map(const YAML::Node& source, YamlNode& node, const std::string& path, int depth) {
    for (const auto& item : source) {
      ++nodes_;
      const Position key_at = position_of(item.first, node.at);
      if (!item.first.IsScalar()) {
        report(diagnostics_, key_at, path, "expected a plain word as a key");
        continue;
      }
      const std::string& key = item.first.Scalar();
      if (const YamlEntry* const earlier = find_entry(node, key)) {
        report(diagnostics_, key_at, join(path, key), duplicate_message(earlier->key_at));
        continue;
      }
      node.entries.push_back({key, key_at, import(item.second, key_at, join(path, key), depth + 1)});
    }
  }

  static std::string duplicate_message(const Position& first) {
    return first.line > 0 ? fmt::format("duplicate key, first in line {}", first.line) : "duplicate key";
  }

  Position origin_;
  Diagnostics& diagnostics_;
  std::size_t nodes_ = 0;
  bool refused_ = false;
};

/// Takes what yaml-cpp's parser says and does nothing with it.
class Ignore : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// Whether anything follows the first document. Not by YAML::LoadAll: yaml-cpp 0.7 never returns from it when the
/// text starts with a comma, but reads null documents until memory is full.
bool has_more_documents(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Ignore ignore;
  return parser.HandleNextDocument(ignore) && parser;
}

/// Where `index` of `text` is, if `origin` has a line; otherwise `origin`.
Position place_of_byte(const std::string& text, std::size_t index, const Position& origin) {
  if (origin.line == 0) return origin;
  const std::string_view before = std::string_view(text).substr(0, index);
  const auto lines = static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {origin.file, lines + 1, static_cast<int>(index - line_start) + 1};
}

/// The tree of `text`; its nodes are at their lines if `origin` has one, otherwise all at `origin`.
YamlNode parse_yaml(const std::string& text, const Position& origin, const std::string& path,
                    Diagnostics& diagnostics) {
  YamlNode nothing;
  nothing.at = origin;
  // With one in the first bytes yaml-cpp takes the text for UTF-16, and reads something else.
  if (const std::size_t nul = text.find('\0'); nul != std::string::npos) {
    report(diagnostics, place_of_byte(text, nul, origin), path, "a NUL byte: expected text in UTF-8");
    return nothing;
  }
  try {
    const YAML::Node document = YAML::Load(text);
    if (has_more_documents(text)) report(diagnostics, origin, path, "expected one YAML document, found more");
    return Importer(origin, diagnostics).import(document, origin, path);
  } catch (const YAML::Exception& error) {
    const bool placed = origin.line > 0 && !error.mark.is_null();
    const Position at = placed ? Position{origin.file, error.mark.line + 1, error.mark.column + 1} : origin;
    report(diagnostics, at, path, fmt::format("not valid YAML: {}", error.msg));
  }
  return nothing;
}

std::string kind_name(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return as_found(node.scalar);
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
  }
  return {};
}

/// Walks the path of one `--set` down the tree.
class SetPath {
 public:
  SetPath(YamlNode& root, std::string_view path, const Position& origin) : node_(&root), rest_(path), origin_(origin) {}

  /// The node to replace, or why there is none.
  Expected<YamlNode*> walk() {
    if (rest_.empty()) return Refusal{"expected path=value, such as memory.size=4GiB"};
    while (!rest_.empty()) {
      const auto refusal = rest_.front() == '[' ? step_to_item() : step_to_key();
      if (refusal) return *refusal;
    }
    return node_;
  }

 private:
  [[nodiscard]] std::string here() const {
    const std::string_view path = walked_;
    return path.empty() ? "the file"
                        : fmt::format("'{}'", path.ends_with('.') ? path.substr(0, path.size() - 1) : path);
  }

  std::optional<Refusal> step_to_item() {
    const std::size_t end = rest_.find(']');
    std::size_t index = 0;
    const char* const first = rest_.data() + 1;
    const char* const last = rest_.data() + std::min(end, rest_.size());
    const auto parsed = std::from_chars(first, last, index);
    if (end == std::string_view::npos || parsed.ec != std::errc{} || parsed.ptr != last) {
      return Refusal{fmt::format("expected an index such as [0] after {}, found '{}'", here(), rest_)};
    }
    if (node_->kind != YamlNode::Kind::sequence) {
      return Refusal{fmt::format("{} is not a list but {}", here(), kind_name(*node_))};
    }
    if (index >= node_->entries.size()) {
      return Refusal{fmt::format("index {} is out of range: {} has {} items, counted from 0", index, here(),
                                 node_->entries.size())};
    }
    node_ = &node_->entries[index].value;
    return advance(end + 1);
  }

  std::optional<Refusal> step_to_key() {
    if (node_->kind == YamlNode::Kind::null) {
      node_->kind = YamlNode::Kind::map;
      node_->at = origin_;
    }
    if (node_->kind != YamlNode::Kind::map) {
      return Refusal{fmt::format("{} is not a map but {}", here(), kind_name(*node_))};
    }
    const std::string key(next_key());
    if (key.empty()) return Refusal{fmt::format("expected a key after {}, found '{}'", here(), rest_)};
    YamlEntry* entry = find_entry(*node_, key);
    if (entry == nullptr) {
      YamlNode absent;
      absent.at = origin_;
      entry = &node_->entries.emplace_back(YamlEntry{key, origin_, absent, true});
    }
    node_ = &entry->value;
    auto refusal = advance(key.size());
    if (rest_.empty()) entry->on_the_way = false;
    return refusal;
  }

  /// Names may have dots in them: the longest key that is there, otherwise up to the next dot.
  [[nodiscard]] std::string_view next_key() const {
    std::size_t longest = 0;
    for (const YamlEntry& entry : node_->entries) {
      const std::size_t size = entry.key.size();
      const bool whole = rest_.size() == size || (rest_.size() > size && (rest_[size] == '.' || rest_[size] == '['));
      if (rest_.starts_with(entry.key) && whole) longest = std::max(longest, size);
    }
    return longest > 0 ? rest_.substr(0, longest) : rest_.substr(0, rest_.find_first_of(".["));
  }

  std::optional<Refusal> advance(std::size_t size) {
    walked_ += rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (rest_.empty() || rest_.front() == '[') return std::nullopt;
    const bool more = rest_.front() == '.' && rest_.size() > 1;
    if (!more) return Refusal{fmt::format("expected a key such as .size after {}, found '{}'", here(), rest_)};
    walked_ += '.';
    rest_.remove_prefix(1);
    return std::nullopt;
  }

  YamlNode* node_;
  std::string_view rest_;
  std::string walked_;
  Position origin_;
};

/// The scalar as a number of that type, if it is one from `low` to `high` and nothing else.
template <typename Number>
std::optional<Number> number_in(const YamlNode& node, Number low, Number high) {
  const std::string& text = node.scalar;
  Number value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
  if (node.kind == YamlNode::Kind::scalar && whole && low <= value && value <= high) return value;
  return std::nullopt;
}

}  // namespace

YamlListener::YamlListener() : before_(std::exchange(yaml_listener, this)) {}
YamlListener::~YamlListener() { yaml_listener = before_; }

const YamlEntry* find_entry(const YamlNode& map, std::string_view key) { return find_in(map, key); }
YamlEntry* find_entry(YamlNode& map, std::string_view key) { return find_in(map, key); }

YamlNode without_key(YamlNode map, std::string_view key) {
  std::erase_if(map.entries, [&](const YamlEntry& entry) { return entry.key == key; });
  return map;
}

std::optional<std::string> text_of_file(const std::filesystem::path& file, std::vector<Diagnostic>& diagnostics) {
  std::error_code reason;
  if (std::filesystem::is_directory(file, reason)) reason = std::make_error_code(std::errc::is_a_directory);
  std::ostringstream content;
  if (!reason || reason == std::errc::no_such_file_or_directory) {
    errno = 0;
    const std::ifstream stream(file, std::ios::binary);
    reason = stream ? std::error_code{} : std::error_code(errno, std::generic_category());
    if (stream) content << stream.rdbuf();
  }
  if (!reason) return content.str();
  report(diagnostics, {file.string(), 0, 0}, "", fmt::format("cannot be read: {}", reason.message()));
  return std::nullopt;
}

YamlNode load_yaml(const std::filesystem::path& file, std::vector<Diagnostic>& diagnostics) {
  const Position start{file.string(), 1, 1};
  const auto content = text_of_file(file, diagnostics);
  if (content) return parse_yaml(*content, start, "", diagnostics);
  YamlNode nothing;
  nothing.at = start;
  return nothing;
}

YamlNode parse_yaml(const std::string& text, const Position& origin, std::vector<Diagnostic>& diagnostics) {
  return parse_yaml(text, origin, "", diagnostics);
}

void apply_set(YamlNode& root, const std::string& set, std::vector<Diagnostic>& diagnostics) {
  const Position origin{"--set " + set, 0, 0};
  const std::size_t equals = set.find('=');
  if (equals == std::string::npos) {
    report(diagnostics, origin, "", "expected path=value, such as memory.size=4GiB");
    return;
  }
  const std::string path = set.substr(0, equals);
  const std::size_t before = diagnostics.size();
  YamlNode value = parse_yaml(set.substr(equals + 1), origin, path, diagnostics);
  if (diagnostics.size() > before) return;
  // On a copy: a path that leads nowhere must not leave its first keys behind.
  YamlNode edited = root;
  const auto target = SetPath(edited, path, origin).walk();
  if (!target) {
    report(diagnostics, origin, path, target.message());
    return;
  }
  **target = std::move(value);
  root = std::move(edited);
}

YamlNode overlay(YamlNode base, const YamlNode& over) {
  if (base.kind != YamlNode::Kind::map || over.kind != YamlNode::Kind::map) return over;
  for (const YamlEntry& entry : over.entries) {
    YamlEntry* const replaced = find_entry(base, entry.key);
    if (replaced == nullptr) {
      base.entries.push_back(entry);
    } else {
      *replaced = {entry.key, entry.key_at, overlay(std::move(replaced->value), entry.value)};
    }
  }
  return base;
}

YamlField::YamlField(const YamlNode& node, std::string path, std::vector<Diagnostic>& diagnostics)
    : node_(&node), path_(std::move(path)), diagnostics_(&diagnostics) {}

std::filesystem::path YamlField::folder() const {
  return node_->at.line > 0 ? std::filesystem::path(node_->at.file).parent_path() : std::filesystem::path{};
}

void YamlField::refuse(std::string message) const { report(*diagnostics_, node_->at, path_, std::move(message)); }

std::string YamlField::found() const { return kind_name(*node_); }

void YamlField::refuse_expecting(std::string_view expected, std::string_view hint) const {
  refuse(fmt::format("expected {}, found {}{}", expected, found(), hint));
}

std::optional<std::string> YamlField::text_or_refuse(std::string_view expected) const {
  if (node_->kind == YamlNode::Kind::scalar && !node_->scalar.empty()) return node_->scalar;
  refuse_expecting(expected);
  return std::nullopt;
}

std::optional<std::string> YamlField::text(std::string_view expected) const {
  ask(*node_, {YamlQuestion::Kind::text, expected});
  return text_or_refuse(expected);
}

std::optional<std::string> YamlField::one_of(const std::vector<std::string>& words, std::string_view expected) const {
  for (const std::string& word : words) ask(*node_, {YamlQuestion::Kind::word, word});
  return text_or_refuse(expected);
}

void YamlField::could_be(std::string_view expected) const { ask(*node_, {YamlQuestion::Kind::text, expected}); }

bool YamlField::is_word(std::string_view word) const {
  ask(*node_, {YamlQuestion::Kind::word, word});
  return node_->kind == YamlNode::Kind::scalar && node_->scalar == word;
}

bool YamlField::is_empty_list() const {
  ask(*node_, {YamlQuestion::Kind::empty_list});
  return node_->kind == YamlNode::Kind::sequence && node_->entries.empty();
}

std::optional<std::uint64_t> YamlField::whole_number(std::uint64_t low, std::uint64_t high, Limit limit) const {
  ask(*node_, {YamlQuestion::Kind::whole_number,
               {},
               static_cast<double>(low),
               static_cast<double>(high),
               limit == Limit::by_others});
  const auto value = number_in(*node_, low, high);
  if (!value) refuse_expecting(fmt::format("a whole number from {} to {}", low, high));
  return value;
}

std::optional<std::int64_t> YamlField::signed_number(std::int64_t low, std::int64_t high) const {
  ask(*node_, {YamlQuestion::Kind::whole_number, {}, static_cast<double>(low), static_cast<double>(high)});
  const auto value = number_in(*node_, low, high);
  if (!value) refuse_expecting(fmt::format("a whole number from {} to {}", low, high));
  return value;
}

std::optional<double> YamlField::number(double low, double high) const {
  ask(*node_, {YamlQuestion::Kind::number, {}, low, high});
  const auto value = number_in(*node_, low, high);
  if (!value) refuse_expecting(fmt::format("a number from {} to {}", low, high));
  return value;
}

std::optional<bool> YamlField::boolean() const {
  ask(*node_, {YamlQuestion::Kind::truth});
  if (node_->kind == YamlNode::Kind::scalar && node_->scalar == "true") return true;
  if (node_->kind == YamlNode::Kind::scalar && node_->scalar == "false") return false;
  refuse_expecting("true or false");
  return std::nullopt;
}

YamlMap YamlField::map(std::string_view expected) const {
  ask(*node_, {YamlQuestion::Kind::map, expected});
  if (node_->kind == YamlNode::Kind::map) return {node_, path_, *diagnostics_};
  refuse_expecting(expected);
  return {nullptr, path_, *diagnostics_};
}

std::vector<YamlField> YamlField::items(std::string_view expected) const {
  ask(*node_, {YamlQuestion::Kind::list, expected});
  std::vector<YamlField> items;
  if (node_->kind != YamlNode::Kind::sequence) {
    refuse_expecting(expected);
  } else if (node_->entries.empty()) {
    refuse(fmt::format("expected {}, found an empty list", expected));
  }
  if (node_->kind != YamlNode::Kind::sequence) return items;
  for (const YamlEntry& entry : node_->entries) {
    items.emplace_back(entry.value, fmt::format("{}[{}]", path_, items.size()), *diagnostics_);
  }
  return items;
}

YamlMap::YamlMap(const YamlNode* node, std::string path, std::vector<Diagnostic>& diagnostics)
    : node_(node), path_(std::move(path)), diagnostics_(&diagnostics) {}

const YamlEntry* YamlMap::entry(std::string_view key) const {
  return node_ == nullptr ? nullptr : find_entry(*node_, key);
}

std::string YamlMap::path_of(std::string_view key) const { return join(path_, key); }

void YamlMap::report(const Position& at, std::string path, std::string message) const {
  experiments::report(*diagnostics_, at, std::move(path), std::move(message));
}

std::optional<YamlField> YamlMap::look_up(std::string_view key, bool required) {
  const bool again = std::find(known_.begin(), known_.end(), key) != known_.end();
  const auto kind = required ? YamlQuestion::Kind::required_key : YamlQuestion::Kind::key;
  if (node_ != nullptr && !again) ask(*node_, {.kind = kind, .words = key, .variant = variant_});
  if (!again) known_.emplace_back(key);
  const YamlEntry* const found = entry(key);
  if (found == nullptr) return std::nullopt;
  return YamlField(found->value, path_of(key), *diagnostics_);
}

std::optional<YamlField> YamlMap::find(std::string_view key) { return look_up(key, false); }

std::optional<YamlField> YamlMap::require(std::string_view key, std::string_view hint) {
  const auto field = look_up(key, true);
  if (!field && node_ != nullptr) report(node_->at, path_of(key), fmt::format("missing{}", hint));
  return field;
}

std::optional<YamlField> YamlMap::require_if(bool required, std::string_view key, std::string_view hint) {
  const auto field = find(key);
  if (required && !field && node_ != nullptr) report(node_->at, path_of(key), fmt::format("missing{}", hint));
  return field;
}

bool YamlMap::has_sign(std::string_view key) const {
  if (node_ != nullptr) ask(*node_, {YamlQuestion::Kind::sign, key});
  return entry(key) != nullptr;
}

std::vector<YamlMap::Item> YamlMap::items() const {
  std::vector<Item> items;
  if (node_ == nullptr) return items;
  ask(*node_, {YamlQuestion::Kind::any_key});
  for (const YamlEntry& item : node_->entries) {
    items.push_back({item.key, item.key_at, YamlField(item.value, path_of(item.key), *diagnostics_)});
  }
  return items;
}

std::vector<YamlMap::Item> YamlMap::items_called(std::string_view what) const {
  std::vector<Item> all = items();
  std::vector<std::string> names;
  const auto misspelt = [&](const Item& item) { return entry(item.key)->on_the_way; };
  for (const Item& item : all) {
    if (!misspelt(item)) names.push_back(item.key);
  }
  for (const Item& item : all) {
    if (!misspelt(item)) continue;
    std::string meant = did_you_mean(item.key, names);
    if (meant.empty()) meant = names.empty() ? "" : fmt::format(" (there are: {})", fmt::join(names, ", "));
    refuse_key(item, fmt::format("there is no {} '{}'{}; to add one, set all of it: {}={{...}}", what, item.key, meant,
                                 item.value.path()));
  }
  std::erase_if(all, misspelt);
  return all;
}

void YamlMap::refuse(std::string message) const {
  if (node_ != nullptr) report(node_->at, path_, std::move(message));
}

void YamlMap::refuse_key(const Item& item, std::string message) const {
  report(item.key_at, path_of(item.key), std::move(message));
}

void YamlMap::refuse_unsupported(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    unsupported_.push_back(key);
    const YamlEntry* const found = entry(key);
    if (found != nullptr) report(found->key_at, path_of(key), "not supported by this version");
  }
}

void YamlMap::refuse_unknown() const {
  if (node_ == nullptr) return;
  ask(*node_, {.kind = YamlQuestion::Kind::no_other_key, .variant = variant_});
  const auto is_in = [](const std::vector<std::string>& keys, const std::string& key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  for (const YamlEntry& item : node_->entries) {
    if (is_in(known_, item.key) || is_in(unsupported_, item.key)) continue;
    const std::string meant = did_you_mean(item.key, known_);
    const std::string choice = meant.empty() ? fmt::format(" (known: {})", fmt::join(known_, ", ")) : meant;
    report(item.key_at, path_of(item.key), "unknown key" + choice);
  }
}

}  // namespace experiments
