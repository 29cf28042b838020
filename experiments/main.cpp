// mlocksim: what a lock policy for mlock and munlock does to everybody who competes for mmap_sem.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/base/installation.h"
#include "experiments/base/interruption.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"

namespace experiments {

namespace {

struct Command {
  const char* name;
  int (*run)(const Arguments&);
  const char* about;
};

constexpr std::array<Command, 14> kCommands{{
    {"run", command_run, "run a scenario under one policy"},
    {"compare", command_compare, "run it under several, side by side, with a verdict"},
    {"explain", command_explain, "tell who suffers, along which chain, and what would help most"},
    {"sweep", command_sweep, "run a study: a scenario along its axes; goes on where it was stopped"},
    {"results", command_results, "show or export what a study has found out"},
    {"report", command_report, "make the page of a study: answer, figures, table; or of what two studies differ in"},
    {"merge", command_merge, "put together the parts of a study that ran apart"},
    {"check", command_check, "tell what is wrong with scenarios, machines, policies and studies"},
    {"calibrate", command_calibrate, "measure this machine, and write a machine file"},
    {"validate", command_validate, "run a scenario for real, beside the same simulated"},
    {"probe", command_probe, "copy the program that measures, for another machine"},
    {"record", command_record, "record on this machine who takes and waits for mmap_lock"},
    {"import", command_import, "tell what a trace of mmap_lock shows, in the tables of a run"},
    {"list", command_list, "list the shipped policies, machines, scenarios and studies"},
}};

void print_help(std::FILE* to) {
  fmt::print(to,
             "mlocksim: what a lock policy for mlock and munlock does to everybody who competes for mmap_sem\n\n"
             "usage: mlocksim COMMAND [OPTION]...\n\n");
  for (const Command& command : kCommands) fmt::print(to, "  {:<9} {}\n", command.name, command.about);
  fmt::print(to,
             "\nmlocksim COMMAND --help tells more. To begin with: mlocksim compare unlock_question\n"
             "Exit codes: 0 done, 1 a run failed, 2 bad input, 3 an expectation of the scenario failed.\n");
}

int dispatch(const Arguments& arguments) {
  if (arguments.empty()) {
    print_help(stderr);
    return kBadInput;
  }
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(stdout);
    return kOk;
  }
  if (name == "--version") {
    fmt::print("mlocksim {}\n", program_version());
    return kOk;
  }
  const auto command =
      std::find_if(kCommands.begin(), kCommands.end(), [&](const Command& each) { return each.name == name; });
  if (command == kCommands.end()) {
    std::vector<std::string> names;
    for (const Command& each : kCommands) names.emplace_back(each.name);
    throw UsageError(
        fmt::format("there is no command '{}'{}; mlocksim --help lists them", name, did_you_mean(name, names)));
  }
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
    tell(std::string(error.what()) + "\n");
    return kBadInput;
  } catch (const UsageError& error) {
    tell(std::string("mlocksim: ") + error.what() + "\n");
    return kBadInput;
  } catch (const std::exception& error) {
    tell(std::string("mlocksim: ") + error.what() + "\n");
    return kRunFailed;
  }
}
