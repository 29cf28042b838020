#include <fmt/format.h>

#include "experiments/commands.h"
#include "experiments/diagnostics.h"

namespace experiments {

int command_check(const Arguments& arguments) {
  CommandLine line("check FILE...",
                   "Reads scenarios, machines, policies and devices and reports everything that is wrong.", "FILE", -1);
  if (!line.parse(arguments)) return kOk;
  int code = kOk;
  for (const std::string& file : line.get<std::vector<std::string>>("FILE")) {
    try {
      fmt::print("{}: a valid {}\n", file, singular(check_file(file)));
    } catch (const InputError& error) {
      fmt::print(stderr, "{}\n", error.what());
      code = kBadInput;
    }
  }
  return code;
}

}  // namespace experiments
