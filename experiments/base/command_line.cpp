#include "experiments/base/command_line.h"

#include <fmt/format.h>

#include <boost/program_options.hpp>

#include <algorithm>
#include <sstream>
#include <thread>

#include "experiments/base/diagnostics.h"
#include "experiments/base/terminal.h"

namespace experiments {

namespace po = boost::program_options;

namespace {

/// Where a command is to say what it takes, in place of doing it.
CommandDescription* description_wanted = nullptr;

}  // namespace

struct CommandLine::Options {
  po::options_description visible{"Options"};
  po::variables_map values;
  std::vector<CommandDescription::Option> described;

  void add(const std::string& name, const po::value_semantic* value, const std::string& about) {
    visible.add_options()(name.c_str(), value, about.c_str());
  }
  /// `name`: with its letter after a comma, if it has one.
  void describe(const std::string& name, const std::string& value, const std::string& about) {
    const std::size_t comma = name.find(',');
    const std::string letter = comma == std::string::npos ? "" : name.substr(comma + 1);
    described.push_back({name.substr(0, comma), letter, value, {}, about});
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& option : visible.options()) names.push_back("--" + option->long_name());
    return names;
  }
};

CommandLine::CommandLine(std::string usage, std::string about, std::string positional, int most)
    : usage_(std::move(usage)),
      about_(std::move(about)),
      positional_(std::move(positional)),
      most_(most),
      options_(std::make_unique<Options>()) {
  flag("help,h", "print this help");
  flag("quiet,q", "no progress and no notes on standard error, only what is wrong");
  flag("no-colour", "no colour and no bold; as the environment variable NO_COLOR");
}

CommandLine::~CommandLine() = default;

CommandLine& CommandLine::flag(const std::string& name, const std::string& about) {
  options_->visible.add_options()(name.c_str(), about.c_str());
  options_->describe(name, "", about);
  return *this;
}

CommandLine& CommandLine::text(const std::string& name, const std::string& value, const std::string& about) {
  options_->add(name, po::value<std::string>()->value_name(value), about);
  options_->describe(name, value, about);
  return *this;
}

CommandLine& CommandLine::texts(const std::string& name, const std::string& value, const std::string& about) {
  options_->add(name, po::value<std::vector<std::string>>()->composing()->value_name(value), about);
  options_->describe(name, value, about);
  options_->described.back().repeated = true;
  return *this;
}

CommandLine& CommandLine::number(const std::string& name, const std::string& value, const std::string& about,
                                 std::optional<std::int64_t> if_not_said) {
  auto* const number = po::value<std::int64_t>()->value_name(value);
  options_->add(name, if_not_said ? number->default_value(*if_not_said) : number, about);
  options_->describe(name, value, about);
  if (if_not_said) options_->described.back().standard = std::to_string(*if_not_said);
  return *this;
}

CommandLine& CommandLine::may_be_missing() {
  required_ = false;
  return *this;
}

CommandLine& CommandLine::depends_on_machine() {
  options_->described.back().standard.clear();
  return *this;
}

CommandDescription CommandLine::description() const {
  return {usage_, about_, positional_, most_, options_->described};
}

CommandDescription describe(int (*command)(const Arguments&)) {
  CommandDescription description;
  description_wanted = &description;
  (void)command({});
  description_wanted = nullptr;
  return description;
}

bool CommandLine::parse(const Arguments& arguments) {
  if (description_wanted != nullptr) {
    *description_wanted = description();
    return false;
  }
  po::options_description every;
  every.add(options_->visible);
  every.add_options()(positional_.c_str(), po::value<std::vector<std::string>>())("no-color", "");
  po::positional_options_description positional;
  positional.add(positional_.c_str(), most_);
  const std::string usage = fmt::format("usage: mlocksim {}", usage_);
  try {
    po::store(po::command_line_parser(arguments)
                  .options(every)
                  .positional(positional)
                  .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                  .run(),
              options_->values);
    po::notify(options_->values);
  } catch (const po::unknown_option& error) {
    throw UsageError(
        fmt::format("{}{}\n{}", error.what(), did_you_mean(error.get_option_name(), options_->names()), usage));
  } catch (const po::error& error) {
    throw UsageError(fmt::format("{}\n{}", error.what(), usage));
  }
  if (has("quiet")) be_quiet();
  if (has("no-colour") || has("no-color")) refuse_colour();
  if (has("help")) {
    std::ostringstream options;
    options << options_->visible;
    fmt::print("{}\n\n{}\n\n{}", usage, about_, options.str());
    return false;
  }
  if (required_ && most_ != 0 && !has(positional_)) throw UsageError(fmt::format("missing {}\n{}", positional_, usage));
  return true;
}

bool CommandLine::has(const std::string& name) const { return options_->values.count(name) > 0; }

std::optional<std::string> CommandLine::find(const std::string& name) const {
  return has(name) ? std::optional(options_->values[name].as<std::string>()) : std::nullopt;
}

std::optional<std::int64_t> CommandLine::find_number(const std::string& name) const {
  return has(name) ? std::optional(options_->values[name].as<std::int64_t>()) : std::nullopt;
}

std::vector<std::string> CommandLine::all(const std::string& name) const {
  return has(name) ? options_->values[name].as<std::vector<std::string>>() : std::vector<std::string>{};
}

int positive(const CommandLine& line, const std::string& option, int most) {
  const std::int64_t value = line.find_number(option).value();
  if (value < 1 || value > most) {
    throw UsageError(fmt::format("--{}: expected a number from 1 to {}, found {}", option, most, value));
  }
  return static_cast<int>(value);
}

void add_jobs_option(CommandLine& line) {
  line.number("jobs,j", "N", "runs at a time; by default as many as there are processors",
              std::max(1U, std::thread::hardware_concurrency()))
      .depends_on_machine();
}

int jobs_of(const CommandLine& line) {
  constexpr int kMostJobs = 1024;
  return positive(line, "jobs", kMostJobs);
}

}  // namespace experiments
