#include "experiments/scenario/yaml_reader.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <map>
#include <numeric>
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

/// Makes our own tree of what yaml-cpp's parser comes across: each text is parsed once, and no tree of yaml-cpp's made.
class TreeBuilder : public YAML::EventHandler {
 public:
  /// `origin` has a line where the nodes' own lines are to be used; `path` is that of the whole.
  TreeBuilder(const Position& origin, const std::string& path, Diagnostics& diagnostics)
      : origin_(origin), path_(path), diagnostics_(diagnostics) {
    root_.at = origin;
  }

  [[nodiscard]] YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t anchor) override {
    YamlNode node;
    node.at = place_without_mark();
    add(std::move(node), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string& value) override {
    add({YamlNode::Kind::scalar, position_of(mark), value, {}}, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::sequence, mark, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::map, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }
  void OnAlias(const YAML::Mark&, YAML::anchor_t anchor) override {
    const auto known = anchored_.find(anchor);
    if (known == anchored_.end()) return add(refused_at(place_without_mark()), 0);  // in itself
    add(copy(known->second, open_.size()), 0);
  }

 private:
  // Aliases are copied, so a file of a few lines could stand for a tree without end.
  static constexpr std::size_t kDeepest = 64;
  static constexpr std::size_t kMostNodes = 100'000;

  /// A map or a sequence whose end has not come yet.
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor;
    bool ignored;  ///< nothing is said of what is in it, and nothing kept
    bool has_key = false;
    std::string key{};
    Position key_at{};
    bool drops_value = false;  ///< its key has been refused
  };

  [[nodiscard]] Position position_of(const YAML::Mark& mark) const {
    if (origin_.line == 0) return origin_;
    return mark.is_null() ? place_without_mark() : Position{origin_.file, mark.line + 1, mark.column + 1};
  }

  /// Of what is nowhere, such as the value of `key:`.
  [[nodiscard]] Position place_without_mark() const {
    if (open_.empty()) return origin_;
    return open_.back().has_key ? open_.back().key_at : open_.back().node.at;
  }

  [[nodiscard]] bool is_ignored() const {
    return !open_.empty() && (open_.back().ignored || (open_.back().has_key && open_.back().drops_value));
  }

  /// The path of what comes next.
  [[nodiscard]] std::string path() const {
    std::string path = path_;
    for (const Open& each : open_) {
      if (each.node.kind == YamlNode::Kind::sequence) {
        path += fmt::format("[{}]", each.node.entries.size());
      } else if (each.has_key) {
        path = join(path, each.key);
      }
    }
    return path;
  }

  bool within_limits(const Position& at, std::size_t depth) {
    if (depth < kDeepest && nodes_ < kMostNodes) return true;
    (void)refused_at(at);
    return false;
  }

  YamlNode refused_at(const Position& at) {
    if (!is_ignored() && !std::exchange(refused_, true)) {
      report(diagnostics_, at, path(), "maps and lists are nested too deeply, or aliases make them too many");
    }
    YamlNode nothing;
    nothing.at = at;
    return nothing;
  }

  YamlNode copy(const YamlNode& source, std::size_t depth) {
    YamlNode node{
        source.kind, source.kind == YamlNode::Kind::null ? place_without_mark() : source.at, source.scalar, {}};
    if (source.entries.empty() || !within_limits(node.at, depth)) return node;
    for (const YamlEntry& entry : source.entries) {
      ++nodes_;
      node.entries.push_back({entry.key, entry.key_at, copy(entry.value, depth + 1)});
    }
    return node;
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    const Position at = position_of(mark);
    const bool ignored = is_ignored() || !within_limits(at, open_.size());
    open_.push_back({{kind, at, {}, {}}, anchor, ignored});
  }

  void close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    add(std::move(closed.node), closed.anchor);
  }

  void add(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != 0) keep(anchor, node);
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (open_.back().node.kind == YamlNode::Kind::sequence) {
      if (!is_ignored()) put({}, {}, std::move(node));
    } else if (!open_.back().has_key) {
      add_key(node);
    } else {
      Open& map = open_.back();
      if (!is_ignored()) put(std::move(map.key), map.key_at, std::move(node));
      map.has_key = false;
    }
  }

  /// A copy, which counts as what it is.
  void keep(YAML::anchor_t anchor, const YamlNode& node) {
    nodes_ += size_of(node);
    anchored_.insert_or_assign(anchor, nodes_ < kMostNodes ? node : refused_at(node.at));
  }

  static std::size_t size_of(const YamlNode& node) {
    return std::accumulate(node.entries.begin(), node.entries.end(), std::size_t{1},
                           [](std::size_t sum, const YamlEntry& entry) { return sum + size_of(entry.value); });
  }

  void put(std::string key, const Position& key_at, YamlNode value) {
    ++nodes_;
    open_.back().node.entries.push_back({std::move(key), key_at, std::move(value)});
  }

  void add_key(const YamlNode& node) {
    Open& map = open_.back();
    const YamlEntry* const earlier = find_entry(map.node, node.scalar);
    const bool plain = node.kind == YamlNode::Kind::scalar;
    if (!is_ignored() && !plain) {
      report(diagnostics_, node.at, path(), "expected a plain word as a key");
    } else if (!is_ignored() && earlier != nullptr) {
      report(diagnostics_, node.at, join(path(), node.scalar), duplicate_message(earlier->key_at));
    }
    map.has_key = true;
    map.key = node.scalar;
    map.key_at = node.at;
    map.drops_value = !plain || earlier != nullptr;
  }

  static std::string duplicate_message(const Position& first) {
    return first.line > 0 ? fmt::format("duplicate key, first in line {}", first.line) : "duplicate key";
  }

  Position origin_;
  std::string path_;
  Diagnostics& diagnostics_;
  YamlNode root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlNode> anchored_;
  std::size_t nodes_ = 0;
  bool refused_ = false;
};

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
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    Diagnostics found;  // nothing is said of what comes before a place at which it is no YAML
    TreeBuilder tree(origin, path, found);
    // Not by YAML::LoadAll: yaml-cpp 0.7 never returns from it when the text starts with a comma, but reads null
    // documents until memory is full.
    if (parser.HandleNextDocument(tree) && parser) {
      report(diagnostics, origin, path, "expected one YAML document, found more");
    }
    diagnostics.insert(diagnostics.end(), found.begin(), found.end());
    return tree.take();
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

namespace {

/// What has been parsed without a mistake, by file: to compare a text with that of last time is a hundred times faster
/// than to parse it, and readers ask for the same few files again and again.
class ParsedFiles {
 public:
  std::optional<YamlNode> find(const std::string& file, const std::string& text) {
    const auto known = files_.find(file);
    return known != files_.end() && known->second.text == text ? std::optional(known->second.root) : std::nullopt;
  }

  void keep(const std::string& file, const std::string& text, const YamlNode& root) {
    constexpr std::size_t kLargest = 64 << 10;  // the trees of larger ones would be much to keep
    if (text.size() > kLargest) return;
    files_.insert_or_assign(file, Parsed{text, root});
  }

 private:
  struct Parsed {
    std::string text;
    YamlNode root;
  };
  std::map<std::string, Parsed> files_;
};

}  // namespace

YamlNode load_yaml(const std::filesystem::path& file, std::vector<Diagnostic>& diagnostics) {
  const Position start{file.string(), 1, 1};
  YamlNode nothing;
  nothing.at = start;
  const auto content = text_of_file(file, diagnostics);
  if (!content) return nothing;
  thread_local ParsedFiles parsed;
  if (auto known = parsed.find(start.file, *content)) return std::move(*known);
  const std::size_t mistakes = diagnostics.size();
  YamlNode root = parse_yaml(*content, start, "", diagnostics);
  if (diagnostics.size() == mistakes) parsed.keep(start.file, *content, root);
  return root;
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
