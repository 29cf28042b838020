#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/manual/error_topics.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/kernel_table.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/study/study_estimate.h"
#include "experiments/study/study_plan.h"

namespace experiments {

namespace {

/// The files that a word means: a path; or all shipped ones of that name, as a study may be called as its scenario is.
/// A folder is none: that of a study's results has its name.
Expected<std::vector<std::string>> files_meant(const std::string& word) {
  std::error_code ignored;
  const auto status = std::filesystem::status(word, ignored);
  const bool is_file = std::filesystem::exists(status) && !std::filesystem::is_directory(status);
  if (is_file_name(word) || is_file) return std::vector{word};
  std::vector<std::string> files;
  for (const ConfigKind kind :
       {ConfigKind::scenarios, ConfigKind::studies, ConfigKind::machines, ConfigKind::policies, ConfigKind::devices}) {
    if (const auto file = find_config(kind, word, {""})) files.push_back(file->string());
  }
  if (!files.empty()) return files;
  // A kernel that is none of ours has more to say.
  if (const auto kernel = find_kernel(word)) return Refusal{kernel->message()};
  std::vector<std::string> names;
  for (const ConfigKind kind : {ConfigKind::scenarios, ConfigKind::studies, ConfigKind::machines, ConfigKind::policies,
                                ConfigKind::devices, ConfigKind::incidents}) {
    for (const ConfigEntry& shipped : list_files(kind)) names.push_back(shipped.name);
  }
  const std::string meant = did_you_mean(word, names);
  return Refusal{
      fmt::format("there is no scenario, study, machine, policy or device '{}'{}", word,
                  meant.empty() ? "; mlocksim list scenarios, or another kind, tells what is shipped" : meant)};
}

/// A policy that the table of kernels makes is in that.
std::string shown(const std::string& file) {
  const std::filesystem::path path(file);
  return kernel_policy(path) ? fmt::format("{} ({})", path.parent_path().string(), path.stem().string()) : file;
}

bool is_study(const std::string& file) {
  std::vector<Diagnostic> reported_by_its_reader;
  return kind_of(load_config(file, reported_by_its_reader)) == ConfigKind::studies;
}

void check_study(const std::string& file, const std::string& store) {
  StudyPlan plan(read_study(file));
  fmt::print("{}: a valid study\n", file);
  print_folded(estimate(plan, store));
}

/// Tells what it is, or what is wrong with it. Returns whether it is valid.
bool check(const std::string& file, const std::string& store) {
  try {
    if (is_study(file)) {
      check_study(file, store);
    } else {
      fmt::print("{}: a valid {}\n", shown(file), singular(check_file(file)));
    }
    return true;
  } catch (const InputError& error) {
    tell(fmt::format("{}\n{}", error.what(), see_manual(error)));
    return false;
  }
}

bool check_all(const std::string& word, const std::string& store) {
  const auto files = files_meant(word);
  if (!files) {
    tell(fmt::format("{}\n", files.message()));
    return false;
  }
  bool valid = true;
  for (const std::string& file : *files) valid = check(file, store) && valid;
  return valid;
}

}  // namespace

int command_check(const Arguments& arguments) {
  CommandLine line(
      "check FILE...",
      "Reads scenarios, machines, policies, devices and studies, by their files or by the names of shipped\n"
      "ones, and reports everything that is wrong. Of a study it also tells how many points and runs it has,\n"
      "and about how long they take.",
      "FILE", -1);
  line.text("output,o", "DIR", "the results of an earlier sweep of the study, to estimate its time from");
  if (!line.parse(arguments)) return kOk;
  int code = kOk;
  for (const std::string& word : line.all("FILE")) {
    if (!check_all(word, line.find("output").value_or(""))) code = kBadInput;
  }
  return code;
}

}  // namespace experiments
