#include "experiments/scenario/config_catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "experiments/scenario/scenario_file.h"
#include "tests/support/config_files.h"
#include "tests/support/places.h"

namespace experiments::config_catalogue_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using tests::folder;
using tests::kPolicy;
using tests::kScenario;
using tests::Lines;
using tests::mistakes;
using tests::mistakes_of;
using tests::read;
using tests::with;
using tests::write;

class ConfigCatalogue : public tests::ConfigFiles {};

TEST_F(ConfigCatalogue, RefusesAFileThatIsEmptyOrNoMap) {
  EXPECT_THAT(mistakes(""), ElementsAre("s.yaml:1:1: expected the keys of a scenario, first `schema`, found nothing"));
  EXPECT_THAT(mistakes("- 1\n"),
              ElementsAre("s.yaml:1:1: expected the keys of a scenario, first `schema`, found a list"));
}

TEST_F(ConfigCatalogue, RefusesAFileThatIsNotThere) {
  EXPECT_THAT(mistakes_of([] { (void)read_scenario("nowhere.yaml"); }),
              ElementsAre("nowhere.yaml: cannot be read: No such file or directory"));
}

TEST_F(ConfigCatalogue, RefusesWhatIsNoYaml) {
  EXPECT_THAT(mistakes("name: [\n"), ElementsAre(HasSubstr("not valid YAML")));
}

TEST_F(ConfigCatalogue, RefusesOtherSchemas) {
  EXPECT_THAT(mistakes(with("mlocksim/1", "mlocksim/2")),
              ElementsAre("s.yaml:1:9: schema: expected mlocksim/1, found 'mlocksim/2' (did you mean mlocksim/1?)"));
  EXPECT_THAT(mistakes(with("schema: mlocksim/1\n", "")),
              ElementsAre("s.yaml:1:1: schema: missing: every file starts with `schema: mlocksim/1`"));
}

TEST_F(ConfigCatalogue, PrefersAPolicyBesideTheScenarioToAShippedOne) {
  write("downgrade.yaml", with("name: mine", "name: downgrade\nabout: of my own", kPolicy));
  EXPECT_EQ(read(kScenario).policies[0].about, "of my own");
}

TEST_F(ConfigCatalogue, FindsANameWithAndWithoutFolderAndExtension) {
  const auto shipped = tests::source_configs() / "machines/epyc-zen4-linux-6.18.yaml";
  for (const std::string name : {"epyc-zen4-linux-6.18", "machines/epyc-zen4-linux-6.18", "epyc-zen4-linux-6.18.yaml",
                                 "machines/epyc-zen4-linux-6.18.yaml"}) {
    const auto found = find_config(ConfigKind::machines, name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(*found, shipped);
  }
  EXPECT_EQ(*find_config(ConfigKind::machines, shipped.string()), shipped);
}

TEST_F(ConfigCatalogue, ABareNameDoesNotMeanAStrayFile) {
  write("downgrade", "not a policy");
  EXPECT_EQ(find_config(ConfigKind::policies, "downgrade", {folder()})->parent_path().filename(), "policies");
}

TEST_F(ConfigCatalogue, LooksForShippedFilesWhereTheEnvironmentSays) {
  write("elsewhere/policies/b.yaml", with("name: mine", "name: b\nabout: second", kPolicy));
  write("elsewhere/policies/a.yaml", with("name: mine", "name: a", kPolicy));
  write("elsewhere/policies/readme.txt", "");
  ::setenv("MLOCKSIM_CONFIGS", (folder() / "elsewhere").c_str(), 1);
  const auto entries = list_configs(ConfigKind::policies);
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[0].about, "");
  EXPECT_EQ(entries[1].name, "b");
  EXPECT_EQ(entries[1].about, "second");
  EXPECT_EQ(entries[1].path, folder() / "elsewhere/policies/b.yaml");
  EXPECT_THAT(list_configs(ConfigKind::machines), IsEmpty());
  EXPECT_THAT(find_config(ConfigKind::policies, "nothing").message(), HasSubstr("(in "));
}

TEST_F(ConfigCatalogue, NamesAFewOfManyAndSaysWhereTheOthersAre) {
  EXPECT_THAT(find_config(ConfigKind::scenarios, "nothing").message(),
              AllOf(HasSubstr(", "), HasSubstr(" more, see mlocksim list scenarios)")));
}

TEST_F(ConfigCatalogue, TakesAFileOfSomethingElseForOneOnlyByItsPath) {
  const std::filesystem::path before = std::filesystem::current_path();
  tests::write("trace.txt", "");
  std::filesystem::current_path(tests::folder());
  const std::string said = find_config(ConfigKind::scenarios, "trace.txt").message();
  std::filesystem::current_path(before);
  EXPECT_EQ(said,
            "there is no scenario 'trace.txt', but a file: ./trace.txt if that is meant; of a trace, mlocksim import "
            "makes one");
}

TEST_F(ConfigCatalogue, TellsAFileOfAnotherKindInOneLine) {
  EXPECT_THAT(
      mistakes_of([&] { (void)read_scenario(tests::write("p.yaml", kPolicy)); }),
      ElementsAre("p.yaml:1:1: this is a policy: expected a scenario; --policy or --policies runs one under it"));
  EXPECT_THAT(mistakes_of([&] { (void)read_scenario(tests::write("d.yaml", tests::kDevice)); }),
              ElementsAre("d.yaml:1:1: this is a device: expected a scenario"));
}

TEST_F(ConfigCatalogue, FallsBackToTheSourceTree) {
  ::unsetenv("MLOCKSIM_CONFIGS");
  EXPECT_EQ(configs_directory(), tests::source_configs());
}

TEST_F(ConfigCatalogue, EveryShippedFileReadsAndIsNamedAsItsFile) {
  for (const ConfigKind kind :
       {ConfigKind::machines, ConfigKind::policies, ConfigKind::devices, ConfigKind::scenarios}) {
    const auto entries = list_configs(kind);
    EXPECT_FALSE(entries.empty());
    for (const ConfigEntry& entry : entries) {
      EXPECT_EQ(mistakes_of([&] { EXPECT_EQ(check_file(entry.path), kind); }), Lines{});
      EXPECT_NE(entry.about, "") << entry.path;
    }
  }
  for (const auto& entry : list_configs(ConfigKind::machines)) EXPECT_EQ(read_machine(entry.path).name, entry.name);
  for (const auto& entry : list_configs(ConfigKind::policies)) EXPECT_EQ(read_policy(entry.path).name, entry.name);
  for (const auto& entry : list_configs(ConfigKind::devices)) EXPECT_EQ(read_device(entry.path).name, entry.name);
  for (const auto& entry : list_configs(ConfigKind::scenarios)) EXPECT_EQ(read_scenario(entry.path).name, entry.name);
}

}  // namespace
}  // namespace experiments::config_catalogue_test
