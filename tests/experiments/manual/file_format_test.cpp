#include "experiments/manual/file_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/config_files.h"

namespace experiments::file_format_test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;

class FileFormats : public tests::ConfigFiles {};

TEST_F(FileFormats, EachKeyHasWords) {
  std::vector<std::string> without;
  for (const ConfigKind kind : described_kinds()) {
    const FileFormat format = file_format(kind);
    for_each_key(format.shape, [&](const std::string& path, const YamlKey&) {
      if (words_of_key(kind, path).empty()) without.push_back(format.name + ": " + path);
    });
  }
  EXPECT_THAT(without, IsEmpty());
}

TEST_F(FileFormats, WordsAreOfKeysThatAreRead) {
  std::set<const void*> used;
  for (const ConfigKind kind : described_kinds()) {
    for_each_key(file_format(kind).shape,
                 [&](const std::string& path, const YamlKey&) { used.insert(words_of_key(kind, path).data()); });
  }
  const FileFormat scenario = file_format(ConfigKind::scenarios);
  const YamlShape& thread = *scenario.shape.key("processes")->value->item->key("threads")->value->named;
  for (const std::string& kind : thread.variants()) {
    const std::string_view words = words_of_key(ConfigKind::scenarios, "processes[].threads.*(" + kind + ")");
    EXPECT_NE(words, "") << kind;
    used.insert(words.data());
  }
  std::vector<std::string> unused;
  for (const KeyWords& row : all_key_words()) {
    if (!used.contains(row.words.data())) unused.emplace_back(row.path);
  }
  EXPECT_THAT(unused, IsEmpty());
}

TEST_F(FileFormats, AScenarioHasWhatItsManyReadersRead) {
  const FileFormat scenario = file_format(ConfigKind::scenarios);
  std::vector<std::string> paths;
  for_each_key(scenario.shape, [&](const std::string& path, const YamlKey&) { paths.push_back(path); });
  EXPECT_THAT(paths, IsSupersetOf({"memory.swap.size", "machine.costs.fault", "machine.kernel", "machine.from",
                                   "policies[].munlock.batch", "groups.*.cpu_max.quota", "memory.device(zram).ratio",
                                   "processes[].regions.*.page_size", "processes[].threads.*(locker).script",
                                   "processes[].threads.*(mapper).place", "processes[].threads.*(busy).spin",
                                   "processes[].threads.*(holder).closed.think", "incident.cause.without"}));
  EXPECT_THAT(scenario.shape.key("processes")->value->item->key("threads")->value->named->variants(),
              IsSupersetOf({"locker", "faulter", "replay", "busy"}));
}

TEST_F(FileFormats, WordsOfAKindOfMapComeBeforeThoseOfAll) {
  EXPECT_NE(words_of_key(ConfigKind::scenarios, "processes[].threads.*(mapper).region"),
            words_of_key(ConfigKind::scenarios, "processes[].threads.*(mincore).region"));
  EXPECT_EQ(words_of_key(ConfigKind::scenarios, "policies[].munlock.batch"),
            words_of_key(ConfigKind::policies, "munlock.batch"));
  EXPECT_EQ(words_of_key(ConfigKind::scenarios, "memory.device(zram).ratio"),
            words_of_key(ConfigKind::devices, "(zram).ratio"));
}

}  // namespace
}  // namespace experiments::file_format_test
