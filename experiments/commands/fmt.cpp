#include <fmt/format.h>

#include <cstddef>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/base/output_file.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/scenario/yaml_format.h"
#include "experiments/scenario/yaml_reader.h"

namespace experiments {

namespace {

constexpr const char* kStandardInput = "-";

/// A file before and after.
struct Formatted {
  std::string file;
  std::string before;
  std::string after;
};

/// Throws InputError where it cannot be formatted.
Formatted format_file(const std::string& file) {
  Formatted formatted{file, {}, {}};
  std::vector<Diagnostic> diagnostics;
  if (file == kStandardInput) {
    formatted.before.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else if (auto text = text_of_file(file, diagnostics)) {
    formatted.before = std::move(*text);
  } else {
    throw InputError(diagnostics);
  }
  auto after = format_yaml(formatted.before, {file, 1, 1}, diagnostics);
  if (!after) throw InputError(diagnostics);
  formatted.after = std::move(*after);
  return formatted;
}

/// Puts it in place of the file, or on standard output. Returns whether anything is different.
bool put_in_place(const Formatted& formatted) {
  const bool different = formatted.after != formatted.before;
  if (formatted.file == kStandardInput) {
    fmt::print("{}", formatted.after);
  } else if (different) {
    OutputFile(formatted.file).commit(formatted.after);
  }
  return different;
}

/// All of them, or none: what is wrong with any is told before any is written.
std::vector<Formatted> format_all(const std::vector<std::string>& files) {
  std::vector<Formatted> all;
  std::vector<Diagnostic> mistakes;
  for (const std::string& file : files) {
    try {
      all.push_back(format_file(file));
    } catch (const InputError& error) {
      mistakes.insert(mistakes.end(), error.diagnostics().begin(), error.diagnostics().end());
    }
  }
  if (!mistakes.empty()) throw InputError(mistakes);
  return all;
}

}  // namespace

int command_fmt(const Arguments& arguments) {
  CommandLine line("fmt FILE... [--check]",
                   "Formats scenarios, studies, policies, machines and devices in place: indents by two, evens out\n"
                   "blanks and empty lines. Keeps all comments, the order of keys, what aligns columns, and values as\n"
                   "they are written. Refuses a file whose meaning would change. - reads standard input, and prints.",
                   "FILE", -1);
  line.flag("check", "write nothing; name the files that are formatted differently, and exit with 3 if there are any");
  if (!line.parse(arguments)) return kOk;
  const bool check = line.has("check");
  std::size_t different = 0;
  for (const Formatted& formatted : format_all(line.all("FILE"))) {
    if (!(check ? formatted.after != formatted.before : put_in_place(formatted))) continue;
    ++different;
    if (check) {
      fmt::print("{}: is not formatted\n", formatted.file);
    } else if (formatted.file != kStandardInput) {
      tell_note(fmt::format("{}: formatted\n", formatted.file));
    }
  }
  return check && different > 0 ? kExpectationFailed : kOk;
}

}  // namespace experiments
