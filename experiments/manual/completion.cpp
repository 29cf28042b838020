#include "experiments/manual/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/kernel_table.h"
#include "experiments/scenario/scenario_file.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

using Candidates = std::vector<Candidate>;

/// Up to the end of its first sentence, or of a part of that: a sign with a blank behind it, unlike that in 2.6.27.
std::string beginning_of(const std::string& text) {
  constexpr std::string_view kSigns = ".;:";
  std::size_t end = text.find_first_of(kSigns);
  while (end != std::string::npos && end + 1 < text.size() && text[end + 1] != ' ') {
    end = text.find_first_of(kSigns, end + 1);
  }
  return text.substr(0, end);
}

void add_shipped(Candidates& all, ConfigKind kind) {
  for (const ConfigEntry& entry : list_files(kind)) all.push_back({entry.name, beginning_of(entry.about)});
}

void add_kernel_names(Candidates& all) {
  for (const std::string& name : kernel_names()) all.push_back({name, ""});
}

Candidates scenarios() {
  Candidates all;
  add_shipped(all, ConfigKind::scenarios);
  add_shipped(all, ConfigKind::incidents);
  return all;
}

Candidates policies() {
  Candidates all;
  add_shipped(all, ConfigKind::policies);
  add_kernel_names(all);
  return all;
}

Candidates shipped(ConfigKind kind) {
  Candidates all;
  add_shipped(all, kind);
  return all;
}

Candidates and_also(const char* more, Candidates all) {
  all.push_back({more, ""});
  return all;
}

Candidates of_every_kind() {
  Candidates all = scenarios();
  for (const ConfigKind kind : {ConfigKind::studies, ConfigKind::machines, ConfigKind::policies, ConfigKind::devices}) {
    add_shipped(all, kind);
  }
  return all;
}

Candidates kernels() {
  Candidates all;
  add_kernel_names(all);
  return all;
}

Candidates plain_words(std::initializer_list<const char*> each) {
  Candidates all;
  for (const char* const word : each) all.push_back({word, ""});
  return all;
}

using Source = std::function<Candidates()>;

/// What can stand where the help has a word in capitals. KEY=VALUE, A,B,C and TOPIC are not among them.
const std::map<std::string, Source>& sources() {
  static const Source kNothing = [] { return Candidates{}; };
  static const Source kFile = [] { return and_also(kAnyFile, {}); };
  static const Source kFolder = [] { return and_also(kAnyFolder, {}); };
  static const std::map<std::string, Source> all{
      {"SCENARIO", [] { return and_also(kAnyFile, scenarios()); }},
      {"STUDY", [] { return and_also(kAnyFile, shipped(ConfigKind::studies)); }},
      {"NAME|FILE", [] { return and_also(kAnyFile, policies()); }},
      {"KIND",
       [] {
         return plain_words({"policies", "kernels", "machines", "devices", "scenarios", "incidents", "studies"});
       }},
      {"VERSION", kernels},
      {"FILE", kFile},
      {"TRACE", kFile},
      {"MACHINE.yaml", kFile},
      {"DIR", kFolder},
      {"DIR|FILE.html", kFile},
      {"SHARD_DIR", kFolder},
      {"N", kNothing},
      {"P", kNothing},
      {"K/N", kNothing},
      {"SIZE", kNothing},
      {"DURATION", kNothing},
      {"QUERY", kNothing},
      {"FROM..TO", kNothing},
      {"OPTION", kNothing},
      {"HOLDER",
       [] {
         return plain_words({"locker", "allocator", "monitor"});
       }},
      {"ns|us|ms|s",
       [] {
         return plain_words({"ns", "us", "ms", "s"});
       }},
      {"[MAP=]WHAT",
       [] {
         return plain_words({"wait", "wait.read", "wait.write", "contended", "contended.read", "contended.write",
                             "hold", "hold.read", "hold.write"});
       }},
      {"yes|no",
       [] {
         return plain_words({"yes", "no"});
       }},
      {"nothing", kNothing},
  };
  return all;
}

const std::set<std::string>& values_apart() {
  static const std::set<std::string> all{"KEY=VALUE", "A,B,C", "TOPIC"};
  return all;
}

// --- a list of policies ---------------------------------------------------------------------------------------

Candidates policy_list(const std::string& current) {
  const std::size_t comma = current.find_last_of(',');
  const std::string before = comma == std::string::npos ? "" : current.substr(0, comma + 1);
  Candidates all;
  for (const Candidate& each : policies()) all.push_back({before + each.word, each.about});
  if (before.empty()) all.push_back({"all", "every shipped one"});
  return all;
}

// --- keys for --set -------------------------------------------------------------------------------------------

/// The tree of the scenario that a command line names; null where there is none that can be read.
YamlNode tree_of_scenario(const std::string& name) {
  std::vector<Diagnostic> of_no_interest;
  const auto file = find_config(ConfigKind::scenarios, name, {""});
  return file ? load_config(*file, of_no_interest) : YamlNode{};
}

/// Walks a path down a format, and down a scenario's tree, too, where there is one: then only to what --set can reach.
class PathWalk {
 public:
  PathWalk(const FileFormat& format, const YamlNode* tree)
      : format_(format), shape_(&format.shape), node_(tree), in_tree_(tree != nullptr) {}

  /// What the path could be.
  Candidates complete(const std::string& path) {
    const std::size_t equals = path.find('=');
    std::string_view rest = std::string_view(path).substr(0, equals);
    while (shape_ != nullptr && step(rest)) {
    }
    if (shape_ == nullptr) return {};
    if (equals != std::string::npos) return rest.empty() ? Candidates{} : values(rest, path.substr(0, equals + 1));
    return shape_->item != nullptr && !shape_->map ? indices() : keys();
  }

 private:
  /// Takes one step of `rest` that is followed by another; false: what is left is the last one.
  bool step(std::string_view& rest) {
    const std::size_t end = rest.find_first_of(".[", rest.starts_with('[') ? 1 : 0);
    if (rest.starts_with('[')) {
      const std::size_t close = rest.find(']');
      if (close == std::string_view::npos) return false;
      go_to_item(rest.substr(1, close - 1));
      advance(rest, close + 1);
      return true;
    }
    if (end == std::string_view::npos) return false;
    go_to_key(rest.substr(0, end));
    advance(rest, end);
    return true;
  }

  void advance(std::string_view& rest, std::size_t size) {
    walked_ += rest.substr(0, size);
    rest.remove_prefix(size);
    if (!rest.starts_with('.')) return;
    walked_ += '.';
    rest.remove_prefix(1);
  }

  void go_to_item(std::string_view text) {
    std::size_t index = 0;
    std::from_chars(text.data(), text.data() + text.size(), index);
    const bool there = is_list(node_) && index < node_->entries.size();
    node_ = there ? &node_->entries[index].value : nullptr;
    path_ += "[]";
    shape_ = !in_tree_ || (there && leads_on(node_, path_)) ? shape_->item.get() : nullptr;
  }

  void go_to_key(std::string_view name) {
    const YamlKey* const key = find(name);
    const YamlNode* const value = value_of(name);
    const bool misspelt = key == nullptr && in_tree_ && value == nullptr;
    path_ = key != nullptr ? path_of_key(path_, *key) : path_ + (path_.empty() ? "*" : ".*");
    shape_ = key != nullptr ? key->value.get() : misspelt ? nullptr : shape_->named.get();
    if (in_tree_ && !leads_on(value, path_)) shape_ = nullptr;
    node_ = value;
  }

  /// What the tree has under a key here, or null.
  [[nodiscard]] const YamlNode* value_of(std::string_view key) const {
    const YamlEntry* const entry = node_ == nullptr ? nullptr : find_entry(*node_, key);
    return entry == nullptr ? nullptr : &entry->value;
  }

  static bool is_list(const YamlNode* value) { return value != nullptr && value->kind == YamlNode::Kind::sequence; }

  /// Whether a path can go on into what the tree has there.
  static bool leads_on(const YamlNode* value, const std::string& path) {
    return value == nullptr || value->kind != YamlNode::Kind::scalar || opens_for_paths(path);
  }

  /// Whether the map has a key beside which this one must not be.
  [[nodiscard]] bool is_ruled_out(const std::string& name) const {
    const auto has = [&](const std::string& key) { return value_of(key) != nullptr; };
    return !has(name) && std::any_of(alternatives().begin(), alternatives().end(), [&](const auto& row) {
      return std::find(row.begin(), row.end(), name) != row.end() && std::any_of(row.begin(), row.end(), has);
    });
  }

  /// Which kind of map it is in the tree, by `run`.
  [[nodiscard]] std::string variant() const {
    const YamlEntry* const run = node_ == nullptr ? nullptr : find_entry(*node_, "run");
    return run == nullptr ? "" : run->value.scalar;
  }

  [[nodiscard]] const YamlKey* find(std::string_view name) const {
    const YamlKey* const common = shape_->key(name);
    return common != nullptr ? common : shape_->key(name, variant());
  }

  [[nodiscard]] Candidates indices() const {
    Candidates all;
    if (in_tree_ && !is_list(node_)) return all;
    const std::size_t count = in_tree_ ? node_->entries.size() : 1;
    for (std::size_t index = 0; index < count; ++index) {
      const YamlNode* const item = in_tree_ ? &node_->entries[index].value : nullptr;
      add_ways_on(*shape_->item, item, fmt::format("{}[{}]", walked_, index), path_ + "[]", "", all);
    }
    return all;
  }

  [[nodiscard]] Candidates keys() const {
    Candidates all;
    for (const YamlKey& key : shape_->keys) {
      if (!key.variant.empty() && key.variant != variant()) continue;
      const std::string path = path_of_key(path_, key);
      const std::string words(words_of_key(format_.kind, path));
      if (words.starts_with("Not here") || is_ruled_out(key.name)) continue;
      add_ways_on(*key.value, value_of(key.name), walked_ + key.name, path, beginning_of(words), all);
    }
    if (shape_->named == nullptr || node_ == nullptr) return all;
    for (const YamlEntry& entry : node_->entries) {
      if (find(entry.key) != nullptr) continue;
      add_ways_on(*shape_->named, &entry.value, walked_ + entry.key, path_ + ".*", "", all);
    }
    return all;
  }

  /// A place whose value can be said, or into which the path can go on. `value`: what the tree has there, or null;
  /// `path`: as words_of_key has it.
  void add_ways_on(const YamlShape& shape, const YamlNode* value, const std::string& written, const std::string& path,
                   const std::string& about, Candidates& all) const {
    if (shape.map && (!in_tree_ || leads_on(value, path))) all.push_back({written + ".", about});
    if (shape.item && shape.item->map) {
      const std::size_t count = !in_tree_ ? 1 : is_list(value) ? value->entries.size() : 0;
      for (std::size_t index = 0; index < count; ++index) {
        if (in_tree_ && !leads_on(&value->entries[index].value, path + "[]")) continue;
        all.push_back({fmt::format("{}[{}].", written, index), about});
      }
    }
    const bool whole = !shape.words.empty() || !shape.texts.empty() || shape.number || shape.truth || shape.item;
    if (whole || shape.anything()) all.push_back({written + "=", about});
  }

  /// What the value of the key could be.
  [[nodiscard]] Candidates values(std::string_view name, const std::string& before) const {
    const YamlKey* const key = find(name);
    if (key == nullptr) return {};
    Candidates all;
    for (const std::string& word : key->value->words) all.push_back({before + word, ""});
    if (key->value->truth) all.insert(all.end(), {{before + "true", ""}, {before + "false", ""}});
    static const std::map<std::string, Source, std::less<>> named{
        {"machine", [] { return shipped(ConfigKind::machines); }},
        {"device", [] { return shipped(ConfigKind::devices); }},
        {"policy", policies},
        {"kernel", kernels}};
    if (const auto source = named.find(name); source != named.end()) {
      for (const Candidate& each : source->second()) all.push_back({before + each.word, each.about});
    }
    return all;
  }

  const FileFormat& format_;
  const YamlShape* shape_;
  const YamlNode* node_;
  bool in_tree_;
  std::string walked_;  // as written
  std::string path_;    // as words_of_key has it
};

Candidates settings(const std::string& current, const std::string& scenario) {
  const FileFormat format = file_format(ConfigKind::scenarios);
  const YamlNode tree = tree_of_scenario(scenario);
  return PathWalk(format, tree.kind == YamlNode::Kind::map ? &tree : nullptr).complete(current);
}

// --- the command line -----------------------------------------------------------------------------------------

const CommandDescription::Option* option_named(const CommandDescription& command, const std::string& word) {
  const auto found = std::find_if(command.options.begin(), command.options.end(), [&](const auto& option) {
    return word == "--" + option.name || (!option.letter.empty() && word == "-" + option.letter);
  });
  return found == command.options.end() ? nullptr : &*found;
}

/// The first word that is neither an option nor the value of one; the last one does not count.
std::string first_plain(const CommandDescription& command, const std::vector<std::string>& words) {
  for (std::size_t each = 1; each + 1 < words.size(); ++each) {
    const auto* const option = option_named(command, words[each]);
    if (option != nullptr) {
      each += option->value.empty() ? 0 : 1;
    } else if (!words[each].starts_with('-')) {
      return words[each];
    }
  }
  return {};
}

Candidates options_of(const CommandDescription& command) {
  Candidates all;
  for (const auto& option : command.options) all.push_back({"--" + option.name, beginning_of(option.about)});
  return all;
}

Candidates commands_as_candidates(const std::vector<CommandWords>& commands) {
  Candidates all;
  for (const CommandWords& command : commands) all.push_back({command.name, command.about});
  all.insert(all.end(), {{"--help", ""}, {"--version", ""}, {"--quiet", ""}, {"--no-colour", ""}});
  return all;
}

Candidates values_of(const std::string& value, const std::string& current, const std::string& scenario,
                     const std::vector<std::string>& topics) {
  if (value == "KEY=VALUE") return settings(current, scenario);
  if (value == "A,B,C") return policy_list(current);
  if (value == "TOPIC") {
    Candidates all;
    for (const std::string& topic : topics) all.push_back({topic, ""});
    return all;
  }
  const auto source = sources().find(value);
  return source == sources().end() ? Candidates{} : source->second();
}

/// Of `--option=`, where that takes a value; otherwise nothing.
std::optional<Candidates> values_behind_equals(const CommandDescription& command, const std::string& current,
                                               const std::string& scenario, const std::vector<std::string>& topics) {
  const std::size_t equals = current.find('=');
  if (!current.starts_with("--") || equals == std::string::npos) return std::nullopt;
  const auto* const option = option_named(command, current.substr(0, equals));
  if (option == nullptr || option->value.empty()) return Candidates{};
  Candidates all = values_of(option->value, current.substr(equals + 1), scenario, topics);
  for (Candidate& each : all) {
    if (!each.word.starts_with(':')) each.word.insert(0, current, 0, equals + 1);
  }
  return all;
}

Candidates possible(const std::vector<std::string>& said, const std::vector<CommandWords>& commands,
                    const std::vector<std::string>& topics) {
  const auto first = std::find_if_not(said.begin(), said.end(), is_common_option);
  // What is common may stand before the command; the last word is being typed.
  const std::vector<std::string> words(said.empty() ? first : std::min(first, said.end() - 1), said.end());
  if (words.size() < 2) return commands_as_candidates(commands);
  const auto command = std::find_if(commands.begin(), commands.end(),
                                    [&](const CommandWords& each) { return each.name == words.front(); });
  if (command == commands.end()) return {};
  const CommandDescription& description = command->description;
  const std::string& current = words.back();
  const std::string plain = first_plain(description, words);
  if (words.size() > 2) {
    const auto* const option = option_named(description, words[words.size() - 2]);
    if (option != nullptr && !option->value.empty()) return values_of(option->value, current, plain, topics);
  }
  if (const auto values = values_behind_equals(description, current, plain, topics)) return *values;
  if (current.starts_with('-')) return options_of(description);
  if (!plain.empty() && description.most == 1) return options_of(description);
  // `check FILE...` takes names, too.
  if (command->name == "check") return and_also(kAnyFile, of_every_kind());
  return values_of(description.positional, current, plain, topics);
}

}  // namespace

std::vector<Candidate> candidates(const std::vector<std::string>& words, const std::vector<CommandWords>& commands,
                                  const std::vector<std::string>& topics) {
  Candidates all;
  try {
    all = possible(words, commands, topics);
  } catch (const InputError&) {
    return {};
  } catch (const UsageError&) {
    return {};
  }
  const std::string current = words.empty() ? "" : words.back();
  std::erase_if(all,
                [&](const Candidate& each) { return !each.word.starts_with(':') && !each.word.starts_with(current); });
  return all;
}

bool is_known_value(const std::string& value) { return sources().contains(value) || values_apart().contains(value); }

}  // namespace experiments
