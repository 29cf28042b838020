// The pages of the manual: of the program, of each of its commands, and of the formats of its files.
//
// A command's page is what its command line says of itself (describe()), a format's what its reader asks for
// (file_format.h) with the words for each key: what `--help` and the readers know is not written down again.
#pragma once

#include <string>
#include <vector>

#include "experiments/base/command_line.h"
#include "experiments/manual/file_format.h"
#include "experiments/manual/manual_page.h"

namespace experiments {

/// A command as the pages have it.
struct CommandWords {
  std::string name;
  std::string about;  ///< a line
  CommandDescription description;
};

/// mlocksim(1).
[[nodiscard]] ManualPage program_page(const std::vector<CommandWords>& commands);
/// mlocksim-NAME(1).
[[nodiscard]] ManualPage command_page(const CommandWords& command);
/// mlocksim-NAME(5). Of a scenario without its memory, which has a page of its own.
[[nodiscard]] ManualPage format_page(const FileFormat& format);
/// mlocksim-memory(5), of the scenario's format.
[[nodiscard]] ManualPage memory_page(const FileFormat& scenario);
/// mlocksim-expect(5): conditions, and the expressions of studies.
[[nodiscard]] ManualPage expect_page();
/// What may stand in a place, in words: "a size such as 4GiB", "none, light or heavy".
[[nodiscard]] std::string in_words(const YamlShape& shape);

/// The keys of a format that a topic means (error_topics.h), as items whose tags are paths, and what is in them. Of
/// kinds of maps, such as `locker`: their own keys.
[[nodiscard]] std::vector<ManualPage::Block> keys_called(const FileFormat& format, const std::string& name);

/// How files and their quantities are written.
[[nodiscard]] ManualPage::Section writing_section();
/// Environment variables and streams.
[[nodiscard]] ManualPage::Section environment_section();
/// The table of exit codes.
[[nodiscard]] ManualPage::Section exit_section();

}  // namespace experiments
