// What may stand in a file: its keys and what they hold, found out from those who read it.
//
// Nothing of it is written down a second time. The readers are handed small trees, and what they ask of each node is
// noted (YamlListener): every key that they look up, whether they need it, each word, range and list. What has been
// asked for is put into the next tree, as a text, a list and a map, a word after the other, until nobody asks for
// anything new. As readers go on after a mistake, the values in these trees need not make sense.
//
// What it cannot know: what a reader refuses of values together, and what it looks for in a node without asking
// (YamlField::node). So a shape allows more than a reader does, and a key that is needed only sometimes is optional.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace experiments {

struct YamlNode;
struct YamlKey;

/// What may stand in one place. Several kinds of things may.
struct YamlShape {
  struct Number {
    bool whole = false;
    double low = 0;
    std::optional<double> high;  ///< none: it follows from other keys
  };

  std::vector<std::string> words;  ///< each of them
  std::vector<std::string> texts;  ///< any text, by what is expected of it
  std::optional<Number> number;
  bool truth = false;
  std::unique_ptr<YamlShape> item;  ///< a list, of at least one of these
  bool empty_list = false;          ///< the list may be empty, too
  bool map = false;
  bool closed = false;               ///< a map has no other keys than these
  std::vector<YamlKey> keys;         ///< of a map, in the order in which they are asked for
  std::unique_ptr<YamlShape> named;  ///< of a map whose other keys are names: what each has

  /// Whether nothing has been asked: it is taken as it is.
  [[nodiscard]] bool anything() const;
  /// The kinds of maps that it may be, in their order; none: there is one.
  [[nodiscard]] std::vector<std::string> variants() const;
  /// A key of a variant (empty: of all of them), or null.
  [[nodiscard]] const YamlKey* key(std::string_view name, std::string_view variant = {}) const;
};

struct YamlKey {
  std::string name;
  std::string variant;  ///< of which kind of map it is (YamlMap::is_variant); empty: of all
  bool required = true;
  std::unique_ptr<YamlShape> value;
};

/// The shape of what `read` reads: it is called with one tree after the other, and reports mistakes or throws
/// InputError as it likes.
[[nodiscard]] YamlShape shape_of(const std::function<void(const YamlNode&)>& read);

}  // namespace experiments
