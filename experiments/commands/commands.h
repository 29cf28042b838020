// The commands of the program `mlocksim`, each in a file of its own.
#pragma once

#include <cstdio>
#include <vector>

#include "experiments/base/command_line.h"
#include "experiments/base/exit_codes.h"

namespace experiments {

/// A command of the program.
struct Command {
  const char* name;
  int (*run)(const Arguments&);
  const char* about;  ///< a line
};

/// All of them, in the order of the help.
[[nodiscard]] const std::vector<Command>& all_commands();
/// What is printed for `mlocksim --help`.
void print_commands(std::FILE* to);

// Each returns an exit code. They throw InputError and UsageError for bad input (exit code 2), anything else for a
// run that failed.
int command_new(const Arguments& arguments);
int command_run(const Arguments& arguments);
int command_compare(const Arguments& arguments);
int command_explain(const Arguments& arguments);
int command_check(const Arguments& arguments);
int command_fmt(const Arguments& arguments);
int command_list(const Arguments& arguments);
int command_sweep(const Arguments& arguments);
int command_merge(const Arguments& arguments);
int command_report(const Arguments& arguments);
int command_results(const Arguments& arguments);
int command_calibrate(const Arguments& arguments);
int command_probe(const Arguments& arguments);
int command_validate(const Arguments& arguments);
int command_import(const Arguments& arguments);
int command_record(const Arguments& arguments);
int command_help(const Arguments& arguments);

/// For the shells' completion, and not among all_commands(): what the last of the words could be.
int command_complete(const Arguments& arguments);

}  // namespace experiments
