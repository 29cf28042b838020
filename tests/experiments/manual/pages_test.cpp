#include "experiments/manual/pages.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "experiments/base/exit_codes.h"
#include "experiments/commands/commands.h"
#include "tests/support/command_line.h"
#include "tests/support/config_files.h"

namespace experiments::pages_test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Pages : public tests::ConfigFiles {};

CommandWords words_of(const Command& command) { return {command.name, command.about, describe(command.run)}; }

TEST_F(Pages, ACommandHasEachOptionOfItsHelp) {
  for (const Command& command : all_commands()) {
    const CommandWords words = words_of(command);
    const std::string page = to_text(command_page(words), 80);
    EXPECT_THAT(page, HasSubstr("mlocksim " + words.description.usage)) << command.name;
    EXPECT_FALSE(words.description.options.empty()) << command.name;
    for (const auto& option : words.description.options) EXPECT_THAT(page, HasSubstr("--" + option.name));
    EXPECT_THAT(page, HasSubstr("EXIT STATUS")) << command.name;
  }
}

// The manual of one machine is that of another.
TEST_F(Pages, SayNothingThatHangsOnTheMachine) {
  const CommandDescription compare = describe(command_compare);
  for (const auto& option : compare.options) {
    const std::string expected = option.name == "reps" ? "1" : "";
    EXPECT_EQ(option.standard, expected) << option.name;
  }
}

TEST_F(Pages, AFormatHasItsKeysWithWhatTheyMayBe) {
  const std::string scenario = to_text(format_page(file_format(ConfigKind::scenarios)), 80);
  for (const char* const key : {"cap_ipc_lock", "page_size", "run: locker", "script", "warm_up"}) {
    EXPECT_THAT(scenario, HasSubstr(fmt::format("    {}\n", key)));
  }
  EXPECT_THAT(scenario, Not(HasSubstr("watermark_scale_factor"))) << "that is on a page of its own";
  EXPECT_THAT(to_text(memory_page(file_format(ConfigKind::scenarios)), 80), HasSubstr("watermark_scale_factor"));
  const std::string policy = to_text(format_page(file_format(ConfigKind::policies)), 80);
  EXPECT_THAT(policy, HasSubstr("spin_handoff"));
  const std::string device = to_text(format_page(file_format(ConfigKind::devices)), 80);
  EXPECT_THAT(device, HasSubstr("KEYS: zram"));
}

TEST_F(Pages, NamesKeysByTheEndOfTheirPath) {
  const FileFormat scenario = file_format(ConfigKind::scenarios);
  const auto swap = keys_called(scenario, "swap.size");
  ASSERT_EQ(swap.size(), 1U);
  EXPECT_EQ(swap[0].tag, "memory.swap.size");
  EXPECT_GT(keys_called(scenario, "region").size(), 5U);
  EXPECT_TRUE(keys_called(scenario, "egion").empty());
}

// docs/interface.md has the same table.
TEST_F(Pages, ExitCodesAreThoseOfTheDocuments) {
  const std::string documents = tests::text_of((tests::source_configs().parent_path() / "docs/interface.md").string());
  for (const ExitCode& code : kExitCodes) {
    EXPECT_THAT(documents, HasSubstr(fmt::format("| {} | {} | {} |", code.code, code.in_short, code.words)));
  }
}

}  // namespace
}  // namespace experiments::pages_test
