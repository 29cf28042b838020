// The commands of the program `mlocksim`, each in a file of its own, and what they share.
#pragma once

#include <boost/program_options.hpp>

#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "experiments/run/result_json.h"
#include "experiments/scenario/scenario_file.h"

namespace experiments {

/// Exit codes.
inline constexpr int kOk = 0;
inline constexpr int kRunFailed = 1;
inline constexpr int kBadInput = 2;
inline constexpr int kExpectationFailed = 3;

using Arguments = std::vector<std::string>;

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

/// The command line is wrong.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One command's command line.
class CommandLine {
 public:
  /// `usage`: what follows `mlocksim `; `about`: one paragraph; `positional`: the name of the option that takes what
  /// stands without a name, `most` of them at most (-1: any number).
  CommandLine(std::string usage, std::string about, std::string positional, int most);

  /// Where options are added (boost::program_options' syntax).
  boost::program_options::options_description_easy_init add() { return visible_.add_options(); }

  /// Parses. Returns false when help was asked for and has been printed. Throws UsageError.
  bool parse(const Arguments& arguments);

  [[nodiscard]] bool has(const std::string& name) const { return values_.count(name) > 0; }
  template <typename T>
  [[nodiscard]] T get(const std::string& name) const {
    return values_[name].as<T>();
  }
  template <typename T>
  [[nodiscard]] std::optional<T> find(const std::string& name) const {
    return has(name) ? std::optional(get<T>(name)) : std::nullopt;
  }

 private:
  [[nodiscard]] std::vector<std::string> option_names() const;

  std::string usage_;
  std::string about_;
  std::string positional_;
  int most_;
  boost::program_options::options_description visible_{"Options"};
  boost::program_options::variables_map values_;
};

/// The value of an option that is a number from 1 to `most`. Throws UsageError.
[[nodiscard]] int positive(const CommandLine& line, const std::string& option, int most);

/// Adds --jobs: runs at a time, by default as many as there are processors.
void add_jobs_option(CommandLine& line);
/// Reads it. Throws UsageError.
[[nodiscard]] int jobs_of(const CommandLine& line);

/// Adds --seed, --set and --stepwise, which every command that runs a scenario takes.
void add_scenario_options(CommandLine& line);
/// Reads them. `policies`: as in Overrides.
[[nodiscard]] Overrides overrides_of(const CommandLine& line, std::vector<std::string> policies);
[[nodiscard]] sim::Engine::Options engine_options_of(const CommandLine& line);

/// The file that the name of a scenario means: a path, or the name of a shipped one. Throws UsageError.
[[nodiscard]] std::filesystem::path scenario_file(const std::string& name);
/// The scenario in the file that `name` means: a path, or the name of a shipped one. Throws UsageError, InputError.
[[nodiscard]] models::Scenario read_named_scenario(const std::string& name, const Overrides& overrides);

/// Prints how a scenario's expectations came out, after everything else; returns the exit code.
[[nodiscard]] int report_expectations(const std::vector<ExpectationCheck>& checks);

/// A file that appears whole or not at all.
class OutputFile {
 public:
  /// Makes sure, before any work is done, that the file can be written. Throws UsageError if not.
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Writes and puts the file in place. Throws std::runtime_error, and leaves an old file alone, if that fails.
  void commit(const std::string& text);

  /// For what is written bit by bit. Begins anew the first time.
  [[nodiscard]] std::ostream& stream();
  /// Puts in place what has been written to stream(). Throws as above.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
  std::ofstream out_;
};

/// Whether standard output is a terminal.
[[nodiscard]] bool on_terminal();
/// Whether standard output is a terminal that wants colour (NO_COLOR is respected).
[[nodiscard]] bool colour_wanted();
/// `text` in bold on a terminal.
[[nodiscard]] std::string bold(const std::string& text);
/// The width of the terminal, or of a wide page if it is none.
[[nodiscard]] std::size_t page_width();
/// What a run is about: name, description, machine, memory, seed.
[[nodiscard]] std::string heading(const models::Scenario& scenario);

}  // namespace experiments
