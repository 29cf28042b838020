#include "experiments/base/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace experiments::expression_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<KnownName> kNames{{"region", ValueType::size, {}},
                                    {"faulters", ValueType::number, {}},
                                    {"think", ValueType::duration, {}},
                                    {"pressure", ValueType::word, {"none", "light", "heavy", "linux-6.4"}}};

std::string refusal_of(const std::string& text, bool measures = false) {
  const auto expression = parse_expression(text);
  if (!expression) return expression.message();
  const auto type = type_of(*expression, kNames, measures);
  return type ? "" : type.message();
}

/// The value at region 1GiB, faulters 7, think 5ms and pressure heavy.
std::string value_at_a_point(const std::string& text, bool with_pressure = true) {
  EXPECT_EQ(refusal_of(text), "");
  Surroundings surroundings;
  surroundings.is_axis = [](const std::string& name) {
    return name == "region" || name == "faulters" || name == "think" || name == "pressure";
  };
  surroundings.name = [&](const std::string& name) -> std::optional<Value> {
    if (name == "region") return value_of("1GiB");
    if (name == "faulters") return value_of("7");
    if (name == "think") return value_of("5ms");
    return with_pressure ? std::optional(value_of("heavy")) : std::nullopt;
  };
  const auto value = evaluate(*parse_expression(text), surroundings);
  if (!value) return value.message();
  if (!*value) return "nothing";
  const auto spelled = spell(**value);
  return spelled ? *spelled : spelled.message();
}

TEST(ExpressionTest, CalculatesWithQuantities) {
  EXPECT_EQ(value_at_a_point("faulters + 2"), "9");
  EXPECT_EQ(value_at_a_point("faulters - 2 - 1"), "4");
  EXPECT_EQ(value_at_a_point("2 + 3 * faulters"), "23");
  EXPECT_EQ(value_at_a_point("(2 + 3) * -faulters"), "-35");
  EXPECT_EQ(value_at_a_point("region * 2 + 512MiB"), "2560MiB");
  EXPECT_EQ(value_at_a_point("region / 4KiB"), "262144");
  EXPECT_EQ(value_at_a_point("think / 2"), "2500us");
}

TEST(ExpressionTest, ComparesAndCombines) {
  EXPECT_EQ(value_at_a_point("region >= 1GiB and not faulters > 7"), "true");
  EXPECT_EQ(value_at_a_point("region < 1GiB or pressure == heavy"), "true");
  EXPECT_EQ(value_at_a_point("'linux-6.4' == pressure"), "false");
  EXPECT_EQ(value_at_a_point("pressure != none"), "true");
  EXPECT_EQ(value_at_a_point("think == 5000us"), "true");
}

TEST(ExpressionTest, NothingComparesWithAnAxisThatHasNoValue) {
  EXPECT_EQ(value_at_a_point("pressure == heavy", false), "false");
  EXPECT_EQ(value_at_a_point("not pressure == heavy", false), "true");
}

TEST(ExpressionTest, RefusesWhatIsNoExpression) {
  EXPECT_EQ(refusal_of("faulters +"), "in 'faulters +': expected a value at the end");
  EXPECT_EQ(refusal_of("(faulters"), "in '(faulters': expected ')' at the end");
  EXPECT_EQ(refusal_of("max(faulter, ) > 1"), "in 'max(faulter, ) > 1': expected a name before ') > 1'");
  EXPECT_EQ(refusal_of("faulters 2"), "in 'faulters 2': cannot make sense of '2'");
  EXPECT_EQ(refusal_of("5apples > 2"), "in '5apples > 2': cannot make sense of '5apples > 2'");
  EXPECT_EQ(refusal_of(""), "expected an expression such as `region >= 1GiB`, found nothing");
}

TEST(ExpressionTest, RefusesUnknownNamesWithTheNearest) {
  EXPECT_EQ(refusal_of("regoin > 1GiB"), "there is no axis 'regoin' (did you mean region?)");
  EXPECT_EQ(refusal_of("pressure == havy"), "'havy' is no value of pressure (did you mean heavy?)");
  EXPECT_EQ(refusal_of("men(faulter) > 1ms", true), "there is no statistic 'men' (did you mean mean?)");
}

TEST(ExpressionTest, RefusesTypesThatDoNotGoTogether) {
  EXPECT_EQ(refusal_of("region > 1ms"), "a size > a duration makes no sense");
  EXPECT_EQ(refusal_of("region + 1"), "a size + a number makes no sense");
  EXPECT_EQ(refusal_of("region * region"), "a size * a size makes no sense");
  EXPECT_EQ(refusal_of("faulters and 1"), "a number and a number makes no sense");
  EXPECT_EQ(refusal_of("not faulters"), "not a number makes no sense");
  EXPECT_EQ(refusal_of("pressure < heavy"), "there is no axis 'heavy' (known: region, faulters, think, pressure)");
}

TEST(ExpressionTest, ReadsMeasures) {
  const auto expression =
      parse_expression("p999(faulter.munlock, linux-6.4) > 10 * p50(ps) and count(ps.mlock.populate, a) > 3");
  ASSERT_TRUE(expression) << expression.message();
  EXPECT_THAT(measures_of(*expression),
              ElementsAre(Measure{"p999", "faulter", "munlock", "linux-6.4"}, Measure{"p50", "ps", "total", ""},
                          Measure{"count", "ps", "mlock.populate", "a"}));
  EXPECT_TRUE(type_of(*expression, kNames, true));
  EXPECT_THAT(refusal_of("p99(ps) > 1ms"), HasSubstr("is known after the runs only"));
  EXPECT_EQ(to_text(*parse_measure(" p99( faulter.munlock ,x)")), "p99(faulter.munlock, x)");
  EXPECT_THAT(parse_measure("1GiB").message(), HasSubstr("expected a measure"));
}

TEST(ExpressionTest, RefusesResultsThatNobodyCouldRead) {
  EXPECT_THAT(value_at_a_point("region / 3"), HasSubstr("is not a whole number"));
  EXPECT_THAT(value_at_a_point("1GiB - 2GiB"), HasSubstr("is not a whole number from 0"));
}

TEST(ExpressionTest, WhatIsNoFiniteNumberIsNeitherTrueNorFalse) {
  for (const char* const text : {"1 / 0", "0 / 0", "region / 0", "think / 0ns", "faulters / (faulters - 7) > 2",
                                 "not faulters / 0 > 2", "faulters / 0 == faulters / 0", "-(faulters / 0) < 0"}) {
    EXPECT_EQ(value_at_a_point(text), "a division by zero: the result is no finite number") << text;
  }
  const std::string large(300, '9');
  EXPECT_EQ(value_at_a_point(large + " * " + large), "the result is no finite number");
  EXPECT_EQ(value_at_a_point(large + " * " + large + " > 1"), "the result is no finite number");
}

TEST(ExpressionTest, AGuardMayKeepADivisionByZeroAway) {
  EXPECT_EQ(value_at_a_point("faulters > 7 and 1 / (faulters - 7) > 2"), "false");
  EXPECT_EQ(value_at_a_point("1 / (faulters - 7) > 2 and faulters > 7"), "false");
  EXPECT_EQ(value_at_a_point("faulters == 7 or 1 / (faulters - 7) > 2"), "true");
  EXPECT_EQ(value_at_a_point("1 / (faulters - 7) > 2 or faulters == 7"), "true");
  EXPECT_THAT(value_at_a_point("faulters == 7 and 1 / (faulters - 7) > 2"), HasSubstr("division by zero"));
  EXPECT_THAT(value_at_a_point("faulters > 7 or 1 / (faulters - 7) > 2"), HasSubstr("division by zero"));
}

TEST(ExpressionTest, RefusesAnyCharacterBeyondAsciiButInQuotes) {
  EXPECT_EQ(refusal_of("p99(faulter) < 1\u00b5s", true),
            "in 'p99(faulter) < 1\u00b5s': cannot make sense of '\u00b5s'");
  EXPECT_EQ(refusal_of("region \u2264 1GiB"), "in 'region \u2264 1GiB': cannot make sense of '\u2264'");
  EXPECT_EQ(refusal_of("2 \u00d7 faulters > 3"), "in '2 \u00d7 faulters > 3': cannot make sense of '\u00d7'");
  EXPECT_EQ(refusal_of("region\u00a0> 1GiB"),
            "in 'region\u00a0> 1GiB': cannot make sense of '\u00a0' (a blank, but not the plain one)");
  EXPECT_THAT(refusal_of("p99(faulter\u00e9) < 1us", true), HasSubstr("cannot make sense of '\u00e9'"));
  for (int byte = 0x80; byte < 0x100; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    for (const std::string& text : {one, "1" + one, "a" + one, "a " + one + " b", "max(a" + one, "not" + one}) {
      EXPECT_THAT(parse_expression(text).message(), HasSubstr("cannot make sense of '" + one)) << byte;
      EXPECT_FALSE(parse_measure(text)) << byte;
    }
    EXPECT_TRUE(parse_expression("pressure == '" + one + "'")) << byte;
    EXPECT_FALSE(parse_expression("pressure == '" + one)) << byte;
  }
}

TEST(ExpressionTest, RefusesWhatOnlyAProgramWouldWrite) {
  const auto repeated = [](const std::string& text, int times) {
    std::string all;
    for (int time = 0; time < times; ++time) all += text;
    return all;
  };
  EXPECT_EQ(refusal_of(repeated("1ns+", 20'000) + "1ns"), "an expression of 80003 characters: at most 1000 are read");
  EXPECT_THAT(refusal_of(repeated("(", 20'000) + "1" + repeated(")", 20'000)), HasSubstr("at most 1000 are read"));
  EXPECT_THAT(refusal_of(repeated("-", 100'000) + "1"), HasSubstr("at most 1000 are read"));
  EXPECT_EQ(refusal_of(repeated("not ", 249) + "faulters > 1"),
            "an expression of 1008 characters: at most 1000 are read");
  EXPECT_EQ(refusal_of(repeated("not ", 247) + "faulters > 1"), "") << "1000 characters";
  EXPECT_EQ(refusal_of(repeated("-", 999) + "1"), "");
  EXPECT_EQ(refusal_of(repeated("(", 50) + "1" + repeated(")", 50)), "");
  EXPECT_THAT(refusal_of(repeated("(", 51) + "1" + repeated(")", 51)),
              HasSubstr("more than 50 parentheses in each other"));
  EXPECT_TRUE(parse_expression("pressure == '" + repeated("(", 51) + "'")) << "a word";
}

}  // namespace
}  // namespace experiments::expression_test
