#include "experiments/scenario/yaml_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments::yaml_shape_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::NotNull;

using Mistakes = std::vector<Diagnostic>;

/// The shape of a map that `read` reads.
template <typename Read>
YamlShape shape(Read read) {
  return shape_of([&](const YamlNode& root) {
    Mistakes mistakes;
    YamlMap map = YamlField(root, "", mistakes).map();
    read(map);
  });
}

std::vector<std::string> names(const YamlShape& shape) {
  std::vector<std::string> all;
  for (const YamlKey& key : shape.keys) all.push_back(key.name);
  return all;
}

TEST(YamlShape, HasTheKeysThatAreAskedFor) {
  const YamlShape found = shape([](YamlMap& map) {
    if (const auto size = map.require("size")) (void)size_of(*size);
    if (const auto deep = map.find("deep")) {
      YamlMap inner = deep->map();
      if (const auto deeper = inner.find("deeper")) (void)deeper->whole_number(1, 9);
    }
    map.refuse_unknown();
  });
  EXPECT_TRUE(found.map);
  EXPECT_TRUE(found.closed);
  EXPECT_THAT(names(found), ElementsAre("size", "deep"));
  EXPECT_TRUE(found.key("size")->required);
  EXPECT_THAT(found.key("size")->value->texts, ElementsAre(std::string(kSizeExpected)));
  EXPECT_FALSE(found.key("deep")->required);
  const YamlKey* const deeper = found.key("deep")->value->key("deeper");
  ASSERT_THAT(deeper, NotNull());
  EXPECT_TRUE(deeper->value->number->whole);
  EXPECT_EQ(deeper->value->number->low, 1);
  EXPECT_EQ(deeper->value->number->high, 9);
  EXPECT_FALSE(found.key("deep")->value->closed);
}

TEST(YamlShape, FindsWhatIsAskedForOnlyBehindAWord) {
  const YamlShape found = shape([](YamlMap& map) {
    const auto kind = map.require("kind");
    const auto word = kind ? choice_of<int>(*kind, {{"round", 1}, {"square", 2}}) : std::nullopt;
    if (!word) return;
    map.is_variant(kind->node().scalar);
    if (*word == 1) (void)map.require("radius");
    if (*word == 2) (void)map.require("side");
    map.refuse_unknown();
  });
  EXPECT_THAT(found.key("kind")->value->words, ElementsAre("round", "square"));
  EXPECT_THAT(found.variants(), ElementsAre("round", "square"));
  EXPECT_THAT(found.key("radius", "round"), NotNull());
  EXPECT_EQ(found.key("radius", "square"), nullptr);
  EXPECT_THAT(found.key("side", "square"), NotNull());
}

TEST(YamlShape, FindsWhatIsAskedForOnlyBesideASign) {
  const YamlShape found = shape([](YamlMap& map) {
    if (map.has_sign("wheels")) {
      (void)map.require("wheels");
    } else {
      (void)map.require("legs");
    }
  });
  EXPECT_THAT(names(found), ElementsAre("legs", "wheels"));
}

TEST(YamlShape, AKeyThatIsNeededOnlySometimesIsOptional) {
  const YamlShape found = shape([](YamlMap& map) {
    const bool there = map.find("first").has_value();
    const auto second = there ? map.require("second") : map.find("second");
    (void)map.require_if(!there, "third");
  });
  EXPECT_FALSE(found.key("second")->required);
  EXPECT_FALSE(found.key("third")->required);
}

TEST(YamlShape, KnowsWhatElseMayStandThere) {
  const YamlShape found = shape([](YamlMap& map) {
    if (const auto value = map.find("time")) (void)distribution_of(*value);
    if (const auto value = map.find("swap")) {
      if (!value->is_word("none")) (void)value->map().find("size");
    }
    if (const auto value = map.find("list")) {
      if (!value->is_empty_list()) (void)value->items("a list");
    }
    if (const auto value = map.find("names")) {
      for (const YamlMap::Item& item : value->map().items()) (void)item.value.boolean();
    }
  });
  const YamlShape& time = *found.key("time")->value;
  EXPECT_THAT(time.texts, ElementsAre(std::string(kDistributionExpected)));
  ASSERT_NE(time.item, nullptr);
  EXPECT_THAT(time.item->texts, ElementsAre(std::string(kDurationExpected)));
  const YamlShape& swap = *found.key("swap")->value;
  EXPECT_THAT(swap.words, ElementsAre("none"));
  EXPECT_THAT(names(swap), ElementsAre("size"));
  EXPECT_TRUE(swap.key("size")->value->anything());
  EXPECT_TRUE(found.key("list")->value->empty_list);
  ASSERT_NE(found.key("names")->value->named, nullptr);
  EXPECT_TRUE(found.key("names")->value->named->truth);
}

TEST(YamlShape, TheWidestRangeCounts) {
  const YamlShape found = shape([](YamlMap& map) {
    const bool wide = map.find("wide").has_value();
    if (const auto number = map.find("number")) (void)number->whole_number(1, wide ? 9 : 5);
    if (const auto cpu = map.find("cpu")) (void)cpu->whole_number(0, 3, Limit::by_others);
  });
  EXPECT_EQ(found.key("number")->value->number->high, 5);
  EXPECT_EQ(found.key("cpu")->value->number->high, std::nullopt);
}

TEST(YamlShape, NothingIsNotedWhereNobodyListens) {
  Mistakes mistakes;
  YamlNode root;
  root.kind = YamlNode::Kind::map;
  YamlMap map = YamlField(root, "", mistakes).map();
  (void)map.find("a");
  EXPECT_THAT(mistakes, IsEmpty());
}

}  // namespace
}  // namespace experiments::yaml_shape_test
