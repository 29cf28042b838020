#include <fmt/format.h>

#include <chrono>

#include "experiments/base/diagnostics.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/study/study_estimate.h"
#include "experiments/study/study_plan.h"

namespace experiments {

namespace {

bool is_study(const std::string& file) {
  std::vector<Diagnostic> reported_by_its_reader;
  return kind_of(load_yaml(file, reported_by_its_reader)) == ConfigKind::studies;
}

void check_study(const std::string& file, const std::string& store) {
  StudyPlan plan(read_study(file));
  fmt::print("{}: a valid study\n{}", file, estimate(plan, store));
}

}  // namespace

int command_check(const Arguments& arguments) {
  CommandLine line(
      "check FILE...",
      "Reads scenarios, machines, policies, devices and studies and reports everything that is wrong. Of a\n"
      "study it also tells how many points and runs it has, and about how long they take.",
      "FILE", -1);
  line.text("output,o", "DIR", "the results of an earlier sweep of the study, to estimate its time from");
  if (!line.parse(arguments)) return kOk;
  int code = kOk;
  for (const std::string& file : line.all("FILE")) {
    try {
      if (is_study(file)) {
        check_study(file, line.find("output").value_or(""));
      } else {
        fmt::print("{}: a valid {}\n", file, singular(check_file(file)));
      }
    } catch (const InputError& error) {
      tell(fmt::format("{}\n", error.what()));
      code = kBadInput;
    }
  }
  return code;
}

}  // namespace experiments
