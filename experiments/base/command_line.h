// One command's command line: which options it takes, and what was said.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace experiments {

class UsageError;

using Arguments = std::vector<std::string>;

/// Whether a word is an option that every command takes, and that may stand before the command, too (not --help, which
/// is of the program there).
[[nodiscard]] bool is_common_option(std::string_view word);

/// What a command says of its command line: what its help is printed from.
struct CommandDescription {
  struct Option {
    std::string name;      ///< without dashes
    std::string letter;    ///< empty: it has none
    std::string value;     ///< what stands for its value; empty: a flag
    std::string standard;  ///< the value where it is not said; empty: none, or it depends on the machine
    std::string about;
    bool repeated = false;
  };
  std::string usage;  ///< without `mlocksim `
  std::string about;
  std::string positional;  ///< what stands without an option
  int most = 0;            ///< of these; -1: any number
  std::vector<Option> options;
};

/// What `command` says, which makes a CommandLine and parses it before it does anything else.
[[nodiscard]] CommandDescription describe(int (*command)(const Arguments&));

class CommandLine {
 public:
  /// `usage`: what follows `mlocksim `; `about`: one paragraph; `positional`: the name of what stands without an
  /// option, `most` of them at most (-1: any number).
  CommandLine(std::string usage, std::string about, std::string positional, int most);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // What can be said. `name`: the option's, without dashes, with its letter after a comma (`jobs,j`); `value`: what
  // stands for its value in the help.
  CommandLine& flag(const std::string& name, const std::string& about);
  CommandLine& text(const std::string& name, const std::string& value, const std::string& about);
  /// May be said several times.
  CommandLine& texts(const std::string& name, const std::string& value, const std::string& about);
  CommandLine& number(const std::string& name, const std::string& value, const std::string& about,
                      std::optional<std::int64_t> if_not_said = std::nullopt);
  /// What stands without an option may be missing.
  CommandLine& may_be_missing();
  /// What the last option is if it is not said depends on the machine: descriptions leave it out.
  CommandLine& depends_on_machine();

  /// Parses. Returns false when help was asked for and has been printed, or describe() has called. Throws UsageError.
  bool parse(const Arguments& arguments);

  // What was said.
  [[nodiscard]] bool has(const std::string& name) const;
  [[nodiscard]] std::optional<std::string> find(const std::string& name) const;
  [[nodiscard]] std::optional<std::int64_t> find_number(const std::string& name) const;
  /// All that was said under the name of an option, or of what stands without one; none if nothing was.
  [[nodiscard]] std::vector<std::string> all(const std::string& name) const;
  /// The first of what stands without an option. Precondition: at least one is wanted.
  [[nodiscard]] std::string first() const { return all(positional_).front(); }

 private:
  struct Options;
  [[nodiscard]] CommandDescription description() const;
  void check_positional() const;
  void read_numbers();
  /// The command line is wrong, and the way to help.
  [[nodiscard]] UsageError refusal(const std::string& why) const;

  std::string usage_;
  std::string about_;
  std::string positional_;
  int most_;
  bool required_ = true;
  std::unique_ptr<Options> options_;
};

/// The value of an option that is a number from 1 to `most` and has been said, or has a default. Throws UsageError.
[[nodiscard]] int positive(const CommandLine& line, const std::string& option, int most);

/// Adds --jobs: runs at a time, by default as many as there are processors.
void add_jobs_option(CommandLine& line);
/// Reads it. Throws UsageError.
[[nodiscard]] int jobs_of(const CommandLine& line);

}  // namespace experiments
