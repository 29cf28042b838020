#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "experiments/base/diagnostics.h"
#include "experiments/base/output_file.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/topics.h"
#include "experiments/manual/json_schema.h"
#include "experiments/manual/pages.h"
#include "experiments/manual/shell_scripts.h"

namespace experiments {

namespace {

CommandWords words_of(const Command& command) { return {command.name, command.about, describe(command.run)}; }

/// What one can ask for, and the page that is shown then. Made only when asked for: formats ask their readers.
using Topics = std::vector<std::pair<std::string, std::function<ManualPage()>>>;

const Topics& topics() {
  static const Topics all = [] {
    Topics topics;
    for (const Command& command : all_commands()) {
      topics.emplace_back(command.name, [&command] { return command_page(words_of(command)); });
    }
    for (const ConfigKind kind : described_kinds()) {
      topics.emplace_back(singular(kind), [kind] { return format_page(file_format(kind)); });
    }
    topics.emplace_back("memory", [] { return memory_page(file_format(ConfigKind::scenarios)); });
    topics.emplace_back("expect", expect_page);
    topics.emplace_back("mlocksim", [] { return program_page(words_of_commands()); });
    return topics;
  }();
  return all;
}

ManualPage section_as_page(const std::string& name, const std::string& about, ManualPage::Section section) {
  return {name, 1, about, {std::move(section)}};
}

/// What is not a page of its own.
const Topics& sections() {
  static const Topics all{
      {"units",
       [] { return section_as_page("units", "how files and their quantities are written", writing_section()); }},
      {"exit-codes", [] { return section_as_page("exit codes", "what mlocksim ends with", exit_section()); }},
      {"environment",
       [] { return section_as_page("environment", "what mlocksim is told by", environment_section()); }}};
  return all;
}

std::vector<std::string> topic_names(const Topics& of) {
  std::vector<std::string> names;
  for (const auto& [name, page] : of) names.push_back(name);
  return names;
}

/// The keys of that name, in all formats; false: there are none.
bool show_keys(const std::string& name) {
  bool any = false;
  for (const ConfigKind kind : described_kinds()) {
    const FileFormat format = file_format(kind);
    const std::vector<ManualPage::Block> keys = keys_called(format, name);
    if (keys.empty()) continue;
    fmt::print("{}{}", any ? "\n" : "",
               to_text({"mlocksim-" + format.name, 5, format.about, {{"KEYS", keys}}}, page_width()));
    any = true;
  }
  return any;
}

void show_topic(const std::string& topic) {
  for (const Topics* const each : {&topics(), &sections()}) {
    for (const auto& [name, page] : *each) {
      if (name != topic) continue;
      fmt::print("{}", to_text(page(), page_width()));
      return;
    }
  }
  if (show_keys(topic)) return;
  const std::vector<std::string> names = manual_topics();
  const std::string meant = did_you_mean(topic, names);
  throw UsageError(fmt::format("there is no topic and no key '{}'{}", topic,
                               meant.empty() ? fmt::format(" (topics: {})", fmt::join(names, ", ")) : meant));
}

void write_file(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  OutputFile(file).commit(text);
}

/// Below DESTDIR, if meson or a package says so.
void install(const std::filesystem::path& share) {
  const char* const destination = std::getenv("DESTDIR");
  const std::filesystem::path folder =
      destination == nullptr ? share : std::filesystem::path(destination + share.string());
  for (const auto& [topic, page] : topics()) {
    const ManualPage made = page();
    write_file(folder / "man" / fmt::format("man{}", made.section) / fmt::format("{}.{}", made.name, made.section),
               to_roff(made));
  }
  for (const ShellScript& script : shell_scripts(share)) write_file(folder / script.file, script.text);
}

void write_schemas(const std::filesystem::path& folder) {
  for (const ConfigKind kind : described_kinds()) {
    const FileFormat format = file_format(kind);
    write_file(folder / (format.name + ".json"), json_schema_text(format));
  }
}

}  // namespace

std::vector<CommandWords> words_of_commands() {
  std::vector<CommandWords> all;
  for (const Command& command : all_commands()) all.push_back(words_of(command));
  return all;
}

std::vector<std::string> manual_topics() {
  std::vector<std::string> names = topic_names(topics());
  for (const std::string& name : topic_names(sections())) names.push_back(name);
  return names;
}

int command_help(const Arguments& arguments) {
  CommandLine line(
      "help [TOPIC]",
      "Shows a page of the manual: of a command, of a kind of file (scenario, memory, expect, policy, machine,\n"
      "device, study), units, exit-codes or environment; or what a key of a file means, by its name or the\n"
      "end of its path, such as memory.swap, or a kind of thread such as locker. Without a topic it lists the\n"
      "commands.",
      "TOPIC", 1);
  line.may_be_missing();
  line.text("install", "DIR",
            "write the pages for man(1) and the completion of the shells below DIR, such as /usr/share");
  line.text("schemas", "DIR", "write the JSON schemas of the files");
  if (!line.parse(arguments)) return kOk;
  const std::vector<std::string> said = line.all("TOPIC");
  if (const auto folder = line.find("install")) install(*folder);
  if (const auto folder = line.find("schemas")) write_schemas(*folder);
  if (!said.empty()) show_topic(said.front());
  if (said.empty() && !line.has("install") && !line.has("schemas")) print_commands(stdout);
  return kOk;
}

}  // namespace experiments
