#include "experiments/commands/commands.h"

#include <fmt/format.h>

#include <string>

#include "experiments/base/terminal.h"

namespace experiments {

const std::vector<Command>& all_commands() {
  static const std::vector<Command> commands{
      {"new", command_new, "write a scenario to start from, for this machine"},
      {"run", command_run, "run a scenario under one policy"},
      {"compare", command_compare, "run it under several, side by side, with a verdict"},
      {"explain", command_explain, "tell who suffers, along which chain, and what would help most"},
      {"sweep", command_sweep, "run a study: a scenario along its axes; goes on where it was stopped"},
      {"results", command_results, "show or export what a study has found out"},
      {"report", command_report, "make the page of a study: answer, figures, table; or of what two studies differ in"},
      {"merge", command_merge, "put together the parts of a study that ran apart"},
      {"check", command_check, "tell what is wrong with scenarios, machines, policies and studies"},
      {"fmt", command_fmt, "format scenarios, machines, policies and studies; comments stay"},
      {"calibrate", command_calibrate, "measure this machine, and write a machine file"},
      {"validate", command_validate, "run a scenario for real, beside the same simulated"},
      {"probe", command_probe, "copy the program that measures, for another machine"},
      {"record", command_record, "record on this machine who takes and waits for mmap_lock"},
      {"import", command_import, "tell what a trace of mmap_lock shows, in the tables of a run"},
      {"list", command_list, "list the shipped policies, machines, scenarios and studies"},
      {"help", command_help, "show the manual: of a command, a kind of file, or a key of one"},
  };
  return commands;
}

void print_commands(std::FILE* to) {
  std::string text = wrapped(
      "mlocksim: what a lock policy for mlock and munlock does to everybody who needs mmap_lock\n(mmap_sem until 5.7)",
      line_width());
  text += "\nusage: mlocksim COMMAND [OPTION]...\n\n";
  constexpr std::size_t kAboutColumn = 12;
  for (const Command& command : all_commands()) {
    text += fmt::format("  {:<9} {}", command.name, wrapped(command.about, line_width(), kAboutColumn));
  }
  std::string codes;
  for (const ExitCode& code : kExitCodes) {
    codes += fmt::format("{}{} {}", codes.empty() ? "" : ", ", code.code, code.in_short);
  }
  text += "\n" + with_command("mlocksim COMMAND --help tells more.", "To begin with: mlocksim compare unlock_question");
  fmt::print(to, "{}{}", text, wrapped(fmt::format("Exit codes: {}.", codes), line_width()));
}

}  // namespace experiments
