// mlocksim: what a lock policy for mlock and munlock does to everybody who needs mmap_lock (mmap_sem until 5.7).

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "experiments/base/commit.h"
#include "experiments/base/diagnostics.h"
#include "experiments/base/installation.h"
#include "experiments/base/interruption.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/manual/error_topics.h"
#include "sim/simgrid.h"

namespace experiments {

namespace {

std::string full_version() {
  const std::string_view commit = program_commit();
  return fmt::format("{}{}, SimGrid {}", program_version(), commit.empty() ? "" : fmt::format(" (commit {})", commit),
                     sim::simgrid_version());
}

/// What is common to all commands may stand before the command, too: it goes behind it.
Arguments with_command_first(Arguments arguments) {
  const auto command = std::find_if_not(arguments.begin(), arguments.end(), is_common_option);
  if (command != arguments.end()) std::rotate(arguments.begin(), command, command + 1);
  return arguments;
}

std::string no_command(const std::string& name) {
  if (name.starts_with('-')) {
    return fmt::format("expected a command, found '{}'{}; its options stand behind it (mlocksim --help)", name,
                       did_you_mean(name, {"--help", "--version", "--quiet", "--no-colour"}));
  }
  std::vector<std::string> names;
  for (const Command& each : all_commands()) names.emplace_back(each.name);
  return fmt::format("there is no command '{}'{}; mlocksim --help lists them", name, did_you_mean(name, names));
}

int dispatch(const Arguments& said) {
  const Arguments arguments = with_command_first(said);
  if (arguments.empty() || is_common_option(arguments.front())) {
    print_commands(stderr);
    return kBadInput;
  }
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h") {
    print_commands(stdout);
    return kOk;
  }
  if (name == "--version") {
    fmt::print("mlocksim {}\n", full_version());
    return kOk;
  }
  if (name == "complete") return command_complete({arguments.begin() + 1, arguments.end()});
  const std::vector<Command>& commands = all_commands();
  const auto command =
      std::find_if(commands.begin(), commands.end(), [&](const Command& each) { return each.name == name; });
  if (command == commands.end()) throw UsageError(no_command(name));
  return command->run({arguments.begin() + 1, arguments.end()});
}

}  // namespace

}  // namespace experiments

int main(int argc, char** argv) {
  using namespace experiments;
  occupy_standard_streams();
  handle_interruptions();
  try {
    const int code = dispatch(Arguments(argv + 1, argv + argc));
    flush_output();
    return code;
  } catch (const InputError& error) {
    tell(fmt::format("{}\n{}", error.what(), see_manual(error)));
    return kBadInput;
  } catch (const UsageError& error) {
    tell(fmt::format("mlocksim: {}\n{}", error.what(), see_manual(error)));
    return kBadInput;
  } catch (const std::exception& error) {
    tell(std::string("mlocksim: ") + error.what() + "\n");
    return kRunFailed;
  }
}
