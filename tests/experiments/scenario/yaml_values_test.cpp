#include "experiments/scenario/yaml_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <variant>

#include "tests/support/config_files.h"

namespace experiments::yaml_values_test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using tests::mistakes;
using tests::read;
using tests::with;
using tests::write;
using namespace std::chrono_literals;

class YamlValues : public tests::ConfigFiles {};

TEST_F(YamlValues, FindsSamplesBesideTheFileThatNamesThem) {
  write("think.txt", "1us\n3us\n");
  const auto scenario = read(with("think: 50us", "think: empirical think.txt"));
  EXPECT_EQ(std::get<models::FaulterSpec>(scenario.processes[0].threads[1].run).arrival,
            models::Arrival(models::ClosedLoop{sim::Empirical{{1us, 3us}}}));
}

TEST_F(YamlValues, AListOfDurationsIsADistributionOfThem) {
  const auto scenario = read(with("think: 50us", "think: [1us, 3us]"));
  EXPECT_EQ(std::get<models::FaulterSpec>(scenario.processes[0].threads[1].run).arrival,
            models::Arrival(models::ClosedLoop{sim::Empirical{{1us, 3us}}}));
  EXPECT_THAT(mistakes(with("think: 50us", "think: [1us, 3]")),
              ElementsAre(HasSubstr("closed.think[1]: expected a duration")));
}

// Of files, columns and figures: of whatever has one.
TEST_F(YamlValues, RefusesNamesThatAreTooLong) {
  const std::string longest(100, 'n');
  EXPECT_THAT(mistakes(with("run: faulter", "run: faulter, mutex: " + longest)), IsEmpty());
  for (const auto& [what, before] :
       {std::pair{"faulter:", ""}, std::pair{"name: small", "name: "}, std::pair{"name: db", "name: "},
        std::pair{"heap: {size", "{size"}, std::pair{"run: faulter", "run: faulter, mutex: "}}) {
    std::string name = before + longest + "n";
    if (std::string(what) == "faulter:") name += ":";
    if (std::string(what) == "heap: {size") name = longest + "n: {size";
    EXPECT_THAT(mistakes(with(what, name)), Contains(HasSubstr("expected a name of at most 100 letters"))) << what;
  }
}

TEST_F(YamlValues, RefusesNamesWithOtherCharacters) {
  EXPECT_THAT(
      mistakes(with("faulter:", "\"a b\":")),
      ElementsAre("s.yaml:11:7: processes[0].threads.a b: expected a name of at most 100 letters, digits, '_', '-' and "
                  "'.', found 'a b'"));
  EXPECT_THAT(mistakes(with("{heap: {size: 512MiB, kind: anon}}", "{heap: {size: 4KiB}, h/p: {size: 4KiB}}")),
              ElementsAre(StartsWith("s.yaml:8:35: processes[0].regions.h/p: expected a name")));
  EXPECT_THAT(mistakes(with("name: db", "name:")),
              Contains(StartsWith("s.yaml:7:5: processes[0].name: expected a name")));
}

TEST_F(YamlValues, RefusesSizesThatAreNotWholePages) {
  EXPECT_THAT(mistakes(with("512MiB", "5000B")),
              ElementsAre("s.yaml:8:28: processes[0].regions.heap.size: expected a multiple of 4KiB above zero, found "
                          "'5000B' (did you mean 8KiB?)"));
  EXPECT_THAT(mistakes(with("1GiB", "0GiB")),
              ElementsAre("s.yaml:4:16: memory.size: expected a multiple of 4KiB above zero, found '0GiB' "
                          "(did you mean 4KiB?)"));
}

TEST_F(YamlValues, RefusesTooManyThreads) {
  EXPECT_THAT(mistakes(with("count: 2", "count: 10001")),
              ElementsAre("s.yaml:11:38: processes[0].threads.faulter.count: expected a whole number from 0 to 10000, "
                          "found '10001'"));
}

TEST_F(YamlValues, RefusesToThinkForLessThanNoTime) {
  EXPECT_THAT(mistakes(with("think: 50us", "think: constant -5us")),
              ElementsAre("s.yaml:11:57: processes[0].threads.faulter.closed.think: expected a duration such as 250ns, "
                          "1.5us, 10ms or 3s, found '-5us' (it must not be below zero)"));
}

TEST_F(YamlValues, RefusesAMapperOfHalfAPage) {
  EXPECT_THAT(mistakes(with("run: faulter, count: 2,", "run: mapper, size: 2KiB,")),
              ElementsAre("s.yaml:11:36: processes[0].threads.faulter.size: expected a multiple of 4KiB above zero, "
                          "found '2KiB' (did you mean 4KiB?)"));
}

TEST_F(YamlValues, RefusesADurationOfNothingOrOfMoreThanThirtyDays) {
  EXPECT_THAT(mistakes(with("policy:", "duration: 0s\npolicy:")),
              ElementsAre("s.yaml:5:11: duration: expected a duration above zero, found '0s'"));
  EXPECT_THAT(mistakes(with("policy:", "duration: 2592001s\npolicy:")),
              ElementsAre(AllOf(StartsWith("s.yaml:5:11: duration: "), HasSubstr("(at most 2592000s)"))));
}

}  // namespace
}  // namespace experiments::yaml_values_test
