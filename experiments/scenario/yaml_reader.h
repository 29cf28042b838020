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
};

/// The item of a map that has this key, or null.
[[nodiscard]] YamlEntry* find_entry(YamlNode& map, std::string_view key);
[[nodiscard]] const YamlEntry* find_entry(const YamlNode& map, std::string_view key);
/// The map without it.
[[nodiscard]] YamlNode without_key(YamlNode map, std::string_view key);

/// Reads a file. A file that cannot be read or is no YAML is one diagnostic and a null node; duplicate keys and
/// keys that are not plain text are diagnostics, and of duplicates the first counts.
[[nodiscard]] YamlNode load_yaml(const std::filesystem::path& file, std::vector<Diagnostic>& diagnostics);

/// Applies `path=value` (what follows `--set`) to the tree, before it is read.
///
/// The path is as in diagnostics: `processes[0].regions.heap.size`. Keys that are not there yet are added (whether
/// they are known is seen when the tree is read); an index that is out of range and a step through a text or into
/// the wrong kind of node are diagnostics. Of keys with dots in them the longest that is there counts.
/// The value is parsed as YAML, so lists and maps work too.
void apply_set(YamlNode& root, const std::string& set, std::vector<Diagnostic>& diagnostics);

/// `base` with the keys of `over` added or replaced, map by map. Nodes keep the positions of where they come from.
[[nodiscard]] YamlNode overlay(YamlNode base, const YamlNode& over);

class YamlMap;

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
  /// `low` .. `high`.
  [[nodiscard]] std::optional<std::uint64_t> whole_number(std::uint64_t low, std::uint64_t high) const;
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
  /// All items, for maps whose keys are names.
  [[nodiscard]] std::vector<Item> items() const;

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
  [[nodiscard]] std::string path_of(std::string_view key) const;
  void report(const Position& at, std::string path, std::string message) const;

  const YamlNode* node_;
  std::string path_;
  std::vector<Diagnostic>* diagnostics_;
  std::vector<std::string> known_;
  std::vector<std::string> unsupported_;
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
