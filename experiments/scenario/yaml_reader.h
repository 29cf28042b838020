// A strict reader of YAML that collects every mistake of a file before it gives up.
//
// yaml-cpp parses; what it has read is copied into a tree of values (YamlNode) in which every node knows where
// it comes from. On that tree `--set` edits are made and maps of different files are overlaid. YamlField and
// YamlMap then read it: each wish that is not met becomes a Diagnostic, and reading goes on.
//
// Stricter than yaml-cpp: keys must be unique and known, booleans are `true` and `false`, one document a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"

namespace experiments {

/// Where a node or a key was written.
struct Position {
  std::string file;  ///< or the option that it came from, such as `--set memory.size=4GiB`: then no line
  int line = 0;      ///< from 1; 0: no position
  int column = 0;    ///< from 1; 0: no position
};

struct YamlEntry;

/// A YAML value.
struct YamlNode {
  enum class Kind { null, scalar, sequence, map };
  Kind kind = Kind::null;
  Position at;
  std::string scalar;              ///< of a scalar: its text
  std::vector<YamlEntry> entries;  ///< of a sequence or a map: its items in the order of the file
};

/// An item of a map, or of a sequence (then without a key).
struct YamlEntry {
  std::string key;
  Position key_at;
  YamlNode value;
  bool on_the_way = false;  ///< made by a path of apply_set that leads on into it
};

/// The item of a map that has this key, or null.
[[nodiscard]] YamlEntry* find_entry(YamlNode& map, std::string_view key);
[[nodiscard]] const YamlEntry* find_entry(const YamlNode& map, std::string_view key);
/// The map without it.
[[nodiscard]] YamlNode without_key(YamlNode map, std::string_view key);

/// Reads a file. A file that cannot be read or is no YAML is one diagnostic and a null node; duplicate keys and
/// keys that are not plain text are diagnostics, and of duplicates the first counts.
[[nodiscard]] YamlNode load_yaml(const std::filesystem::path& file, std::vector<Diagnostic>& diagnostics);

/// What is in a file; of one that cannot be read a diagnostic.
[[nodiscard]] std::optional<std::string> text_of_file(const std::filesystem::path& file,
                                                      std::vector<Diagnostic>& diagnostics);

/// Applies `path=value` (what follows `--set`) to the tree, before it is read.
///
/// The path is as in diagnostics: `processes[0].regions.heap.size`. Keys that are not there yet are added (whether
/// they are known, or are names of something that is to be there, is seen when the tree is read); an index that is out
/// of range and a step through a text or into the wrong kind of node are diagnostics. Of keys with dots in them the
/// longest that is there counts. The value is parsed as YAML, so lists and maps work too.
void apply_set(YamlNode& root, const std::string& set, std::vector<Diagnostic>& diagnostics);

/// `base` with the keys of `over` added or replaced, map by map. Nodes keep the positions of where they come from.
[[nodiscard]] YamlNode overlay(YamlNode base, const YamlNode& over);

/// What a reader asks of a node. Noted down (YamlListener), the questions are what the readers know of their files:
/// manual pages, schema and completion are made of them (yaml_shape.h).
struct YamlQuestion {
  enum class Kind {
    text,          ///< any text; `words`: what is expected of it
    word,          ///< this text: `words`
    whole_number,  ///< `low` .. `high`
    number,        ///< `low` .. `high`
    truth,         ///< true or false
    list,          ///< a list; `words`: of what
    empty_list,    ///< a list of nothing
    map,           ///< a map; `words`: of what
    key,           ///< of a map: the key `words`, which may be absent
    required_key,  ///< ... which may not
    sign,          ///< of a map: whether it has the key `words`, by which it is told from others
    any_key,       ///< of a map: all of its keys, which are names
    no_other_key,  ///< of a map: those asked for are all that it may have
  };
  Kind kind;
  std::string_view words{};
  double low = 0;
  double high = 0;
  bool by_others = false;         ///< `high` follows from other keys of the file
  std::string_view variant = {};  ///< of keys: YamlMap::is_variant
};

/// Is told each question, while it lives, of the thread that made it.
class YamlListener {
 public:
  YamlListener();
  virtual ~YamlListener();
  YamlListener(const YamlListener&) = delete;
  YamlListener& operator=(const YamlListener&) = delete;
  virtual void asked(const YamlNode& node, const YamlQuestion& question) = 0;

 private:
  YamlListener* before_;
};

class YamlMap;

/// Whether the highest number that is allowed is always the same, or follows from other keys of the file.
enum class Limit { fixed, by_others };

/// A node at its path: what a reader asks for values. A view: tree and diagnostics must outlive it.
///
/// Each read returns nothing when it has reported a diagnostic.
class YamlField {
 public:
  YamlField(const YamlNode& node, std::string path, std::vector<Diagnostic>& diagnostics);

  [[nodiscard]] const YamlNode& node() const { return *node_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// The folder of the file that the node was written in; empty (the working directory) for `--set`.
  [[nodiscard]] std::filesystem::path folder() const;

  /// Reports a mistake at this node.
  void refuse(std::string message) const;
  /// Reports that `expected` was expected and what is there instead; `hint` follows as it is.
  void refuse_expecting(std::string_view expected, std::string_view hint = {}) const;

  /// Any text that is not empty; `expected` describes it.
  [[nodiscard]] std::optional<std::string> text(std::string_view expected) const;
  /// The same, where it is to be one of `words`: that it is one is for the caller to see.
  [[nodiscard]] std::optional<std::string> one_of(const std::vector<std::string>& words,
                                                  std::string_view expected) const;
  /// Notes that a text may stand here beside certain other keys. Reads and reports nothing.
  void could_be(std::string_view expected) const;
  /// Whether it is that word, which is read where something else could stand, too. Reports nothing.
  [[nodiscard]] bool is_word(std::string_view word) const;
  /// Whether it is a list of nothing, where others could stand, too. Reports nothing.
  [[nodiscard]] bool is_empty_list() const;
  /// `low` .. `high`.
  [[nodiscard]] std::optional<std::uint64_t> whole_number(std::uint64_t low, std::uint64_t high,
                                                          Limit limit = Limit::fixed) const;
  /// The same, of numbers that may be below zero.
  [[nodiscard]] std::optional<std::int64_t> signed_number(std::int64_t low, std::int64_t high) const;
  /// `low` .. `high`.
  [[nodiscard]] std::optional<double> number(double low, double high) const;
  /// `true` or `false`.
  [[nodiscard]] std::optional<bool> boolean() const;
  /// What `parse(text)` makes of it: a function from std::string to Expected<T>.
  template <typename Parse>
  [[nodiscard]] auto parsed(Parse parse, std::string_view expected) const
      -> std::optional<std::decay_t<decltype(*parse(std::string{}))>>;

  /// As a map. Not a map: a diagnostic, and a YamlMap that is false.
  [[nodiscard]] YamlMap map(std::string_view expected = "a map") const;
  /// The items of a list of at least one. Otherwise a diagnostic, and none.
  [[nodiscard]] std::vector<YamlField> items(std::string_view expected) const;

 private:
  [[nodiscard]] std::string found() const;
  [[nodiscard]] std::optional<std::string> text_or_refuse(std::string_view expected) const;

  const YamlNode* node_;
  std::string path_;
  std::vector<Diagnostic>* diagnostics_;
};

/// A map that remembers which keys it has been asked for: the rest are unknown. A view, as YamlField.
class YamlMap {
 public:
  /// A key with its value.
  struct Item {
    std::string key;
    Position key_at;
    YamlField value;
  };

  /// Without `node` there is no map: it finds nothing, and reports nothing as missing or unknown.
  YamlMap(const YamlNode* node, std::string path, std::vector<Diagnostic>& diagnostics);

  explicit operator bool() const { return node_ != nullptr; }

  /// The value of a key that may be absent.
  [[nodiscard]] std::optional<YamlField> find(std::string_view key);
  /// The value of a key that must be there: otherwise a diagnostic at the map.
  [[nodiscard]] std::optional<YamlField> require(std::string_view key, std::string_view hint = {});
  /// The same of a key that must be there or not, as other keys of the file have it.
  [[nodiscard]] std::optional<YamlField> require_if(bool required, std::string_view key, std::string_view hint = {});
  /// Whether a key is there by which a map is told from others: who reads it asks for it besides.
  [[nodiscard]] bool has_sign(std::string_view key) const;
  /// From here on it is one of several kinds of maps, and the keys that are asked for are those of this kind.
  void is_variant(std::string_view name) { variant_ = name; }
  /// All items, for maps whose keys are names.
  [[nodiscard]] std::vector<Item> items() const;
  /// The same of a `what` each, such as "region". One that is there only because a path of --set leads through it is
  /// refused and left out: its name is misspelt. Call it once.
  [[nodiscard]] std::vector<Item> items_called(std::string_view what) const;

  /// Reports a mistake about the map as a whole.
  void refuse(std::string message) const;
  /// Reports a mistake about one of its keys, at the key.
  void refuse_key(const Item& item, std::string message) const;
  /// Reports those of `keys` that are there: they are planned, but do nothing yet.
  void refuse_unsupported(const std::vector<std::string>& keys);
  /// Reports every key that nobody has asked for, with the nearest one that somebody has. Call it last.
  void refuse_unknown() const;

 private:
  [[nodiscard]] const YamlEntry* entry(std::string_view key) const;
  [[nodiscard]] std::optional<YamlField> look_up(std::string_view key, bool required);
  [[nodiscard]] std::string path_of(std::string_view key) const;
  void report(const Position& at, std::string path, std::string message) const;

  const YamlNode* node_;
  std::string path_;
  std::vector<Diagnostic>* diagnostics_;
  std::vector<std::string> known_;
  std::vector<std::string> unsupported_;
  std::string variant_;
};

template <typename Parse>
auto YamlField::parsed(Parse parse, std::string_view expected) const
    -> std::optional<std::decay_t<decltype(*parse(std::string{}))>> {
  const auto written = text(expected);
  if (!written) return std::nullopt;
  const auto value = parse(*written);
  if (!value) {
    refuse(value.message());
    return std::nullopt;
  }
  return *value;
}

}  // namespace experiments
