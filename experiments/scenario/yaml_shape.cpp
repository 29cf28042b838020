#include "experiments/scenario/yaml_shape.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/yaml_reader.h"

namespace experiments {

namespace {

// What no reader knows by this name, in the place of names and texts.
constexpr const char* kAnyText = "?";
constexpr const char* kAnyName = "x";
// Nodes of these trees are told from others by where they are from; the line is the number of their shape. Copies of a
// node, and what is laid over others, have that, too.
constexpr const char* kFile = "explored";

void add_new(std::vector<std::string>& all, std::string_view one) {
  if (std::find(all.begin(), all.end(), one) == all.end()) all.emplace_back(one);
}

/// Hands trees to readers, and makes of what is asked the next ones.
class Explorer : public YamlListener {
 public:
  YamlShape explore(const std::function<void(const YamlNode&)>& read) {
    YamlShape root;
    shapes_.push_back(&root);
    for (const YamlNode::Kind kind : kKinds) trees_.push_back(node(0, kind));
    while (!trees_.empty()) {
      tree_ = std::move(trees_.front());
      trees_.pop_front();
      try {
        read(tree_);
      } catch (const InputError&) {  // NOLINT(bugprone-empty-catch): what is wrong with these trees is no news
      }
    }
    return root;
  }

  void asked(const YamlNode& node, const YamlQuestion& question) override {
    using Kind = YamlQuestion::Kind;
    if (node.at.file != kFile) return;
    const auto number = static_cast<std::size_t>(node.at.line - 1);
    // What a reader puts in where nothing is said may claim to be from where it would have been said.
    const YamlNode* const own = find(tree_, number);
    if (own == nullptr || own->kind != node.kind || own->scalar != node.scalar) return;
    YamlShape& shape = *shapes_[number];
    switch (question.kind) {
      case Kind::text:
        return add_new(shape.texts, question.words);
      case Kind::word:
        return add_word(number, std::string(question.words));
      case Kind::whole_number:
      case Kind::number:
        return add_number(shape, question);
      case Kind::truth:
        shape.truth = true;
        return;
      case Kind::list:
        return add_item(number);
      case Kind::empty_list:
        shape.empty_list = true;
        return;
      case Kind::map:
        shape.map = true;
        return;
      case Kind::key:
      case Kind::required_key:
        return add_key(number, question);
      case Kind::sign:
        return add_sign(number, std::string(question.words));
      case Kind::any_key:
        return add_named(number);
      case Kind::no_other_key:
        shape.closed = true;
        return;
    }
  }

 private:
  static constexpr auto kKinds = {YamlNode::Kind::scalar, YamlNode::Kind::sequence, YamlNode::Kind::map};

  static YamlNode node(std::size_t shape, YamlNode::Kind kind) {
    YamlNode node;
    node.kind = kind;
    node.at = {kFile, static_cast<int>(shape) + 1, 1};
    if (kind == YamlNode::Kind::scalar) node.scalar = kAnyText;
    return node;
  }

  static YamlNode* find(YamlNode& tree, std::size_t shape) {
    if (tree.at.line == static_cast<int>(shape) + 1) return &tree;
    for (YamlEntry& entry : tree.entries) {
      if (YamlNode* const found = find(entry.value, shape)) return found;
    }
    return nullptr;
  }

  /// The tree of now once more, with the node of a shape changed.
  template <typename Change>
  void add_tree(std::size_t shape, Change change) {
    YamlNode tree = tree_;
    YamlNode* const changed = find(tree, shape);
    if (changed == nullptr) return;
    change(*changed);
    trees_.push_back(std::move(tree));
  }

  /// A new shape, which holds what stands under `key` in the map of another, or is an item of its list.
  void add_inside(std::size_t outer, YamlNode::Kind kind, const std::string& key, YamlShape* inner) {
    shapes_.push_back(inner);
    const std::size_t number = shapes_.size() - 1;
    for (const YamlNode::Kind each : kKinds) {
      add_tree(outer, [&](YamlNode& changed) {
        if (changed.kind != kind) changed = node(outer, kind);
        YamlEntry* const there = find_entry(changed, key);
        if (there != nullptr) there->value = node(number, each);
        if (there == nullptr) changed.entries.push_back({key, {kFile, 0, 0}, node(number, each)});
      });
    }
  }

  void add_word(std::size_t number, std::string word) {
    std::vector<std::string>& words = shapes_[number]->words;
    if (std::find(words.begin(), words.end(), word) != words.end()) return;
    words.push_back(word);
    add_tree(number, [&](YamlNode& changed) {
      changed = node(number, YamlNode::Kind::scalar);
      changed.scalar = std::move(word);
    });
  }

  static void add_number(YamlShape& shape, const YamlQuestion& question) {
    const bool whole = question.kind == YamlQuestion::Kind::whole_number;
    const auto high = question.by_others ? std::nullopt : std::optional(question.high);
    if (!shape.number) shape.number = YamlShape::Number{whole, question.low, high};
    YamlShape::Number& number = *shape.number;
    number.whole = number.whole && whole;
    number.low = std::min(number.low, question.low);
    number.high = number.high && high ? std::optional(std::max(*number.high, *high)) : std::nullopt;
  }

  void add_item(std::size_t number) {
    YamlShape& shape = *shapes_[number];
    if (shape.item) return;
    shape.item = std::make_unique<YamlShape>();
    add_inside(number, YamlNode::Kind::sequence, {}, shape.item.get());
  }

  void add_named(std::size_t number) {
    YamlShape& shape = *shapes_[number];
    if (shape.named) return;
    shape.named = std::make_unique<YamlShape>();
    add_inside(number, YamlNode::Kind::map, kAnyName, shape.named.get());
  }

  void add_key(std::size_t number, const YamlQuestion& question) {
    YamlShape& shape = *shapes_[number];
    const bool required = question.kind == YamlQuestion::Kind::required_key;
    const YamlKey* known = shape.key(question.words);
    if (known == nullptr) known = shape.key(question.words, question.variant);
    if (known != nullptr) {
      if (!required) shape.keys[static_cast<std::size_t>(known - shape.keys.data())].required = false;
      return;
    }
    YamlKey key{std::string(question.words), std::string(question.variant), required, std::make_unique<YamlShape>()};
    YamlShape* const value = key.value.get();
    shape.keys.push_back(std::move(key));
    add_inside(number, YamlNode::Kind::map, std::string(question.words), value);
  }

  /// Who asks for it otherwise then does.
  void add_sign(std::size_t number, const std::string& key) {
    const std::string sign = std::to_string(number) + " " + key;
    if (std::find(signs_.begin(), signs_.end(), sign) != signs_.end()) return;
    signs_.push_back(sign);
    add_tree(number, [&](YamlNode& changed) {
      if (changed.kind != YamlNode::Kind::map) changed = node(number, YamlNode::Kind::map);
      YamlNode value;
      value.kind = YamlNode::Kind::scalar;
      value.scalar = kAnyText;
      changed.entries.push_back({key, {kFile, 0, 0}, value});
    });
  }

  std::vector<YamlShape*> shapes_;  // by number
  std::deque<YamlNode> trees_;      // to be read
  YamlNode tree_;                   // being read
  std::vector<std::string> signs_;
};

}  // namespace

bool YamlShape::anything() const { return words.empty() && texts.empty() && !number && !truth && !item && !map; }

std::vector<std::string> YamlShape::variants() const {
  std::vector<std::string> names;
  for (const YamlKey& each : keys) {
    if (!each.variant.empty()) add_new(names, each.variant);
  }
  return names;
}

const YamlKey* YamlShape::key(std::string_view name, std::string_view variant) const {
  const auto found = std::find_if(keys.begin(), keys.end(),
                                  [&](const YamlKey& each) { return each.name == name && each.variant == variant; });
  return found == keys.end() ? nullptr : &*found;
}

YamlShape shape_of(const std::function<void(const YamlNode&)>& read) { return Explorer().explore(read); }

}  // namespace experiments
