// What the program's exit code says. The table in the help, in the manual pages and in docs/interface.md is this one.
#pragma once

#include <array>
#include <string_view>

namespace experiments {

inline constexpr int kOk = 0;
inline constexpr int kRunFailed = 1;
inline constexpr int kBadInput = 2;
inline constexpr int kExpectationFailed = 3;

struct ExitCode {
  int code;
  std::string_view in_short;
  std::string_view words;
};

inline constexpr std::array<ExitCode, 5> kExitCodes{{
    {kOk, "done", "What was asked for is done. A run that ran out of memory is: what shows its figures says so."},
    {kRunFailed, "a run failed", "A run failed, or what it came to could not be written."},
    {kBadInput, "bad input",
     "The command line or a file is wrong: what is, where, and what was perhaps meant is said on standard error. "
     "Nothing has been run or written."},
    {kExpectationFailed, "an expectation failed",
     "A condition of the scenario's `expect` does not hold, or cannot be told, for want of samples or as it divides by "
     "zero. What was measured has been printed and written. Of `fmt --check`: a file is not formatted."},
    {130, "interrupted",
     "Somebody ended it by a signal, and this is how a shell tells: 130 for Ctrl-C (SIGINT), 143 for SIGTERM, 129 for "
     "SIGHUP. No file is left that is not whole; what `sweep` has run is kept."},
}};

}  // namespace experiments
