// The commands of the program `mlocksim`, each in a file of its own.
#pragma once

#include "experiments/base/command_line.h"

namespace experiments {

/// Exit codes.
inline constexpr int kOk = 0;
inline constexpr int kRunFailed = 1;
inline constexpr int kBadInput = 2;
inline constexpr int kExpectationFailed = 3;

// Each returns an exit code. They throw InputError and UsageError for bad input (exit code 2), anything else for a
// run that failed.
int command_run(const Arguments& arguments);
int command_compare(const Arguments& arguments);
int command_explain(const Arguments& arguments);
int command_check(const Arguments& arguments);
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

}  // namespace experiments
