#include "experiments/base/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/program_options.hpp>

#include <algorithm>
#include <charconv>
#include <map>
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
  std::map<std::string, std::int64_t> numbers;  // of `numeric`, those that are said or have a default
  std::vector<std::string> numeric;
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
  /// What --help says of them.
  [[nodiscard]] std::string text(std::size_t width) const {
    constexpr std::size_t kLeast = 40;
    constexpr std::size_t kMost = 160;
    const auto length = static_cast<unsigned>(std::clamp(width, kLeast, kMost));
    po::options_description shown("Options", length, length / 2);
    for (const auto& option : visible.options()) shown.add(option);
    std::ostringstream text;
    text << shown;
    return text.str();
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& option : visible.options()) names.push_back("--" + option->long_name());
    return names;
  }
  /// The option that somebody typed, or null.
  [[nodiscard]] const CommandDescription::Option* typed(const std::string& word) const {
    const auto found = std::find_if(described.begin(), described.end(), [&](const CommandDescription::Option& each) {
      return word == "--" + each.name || (!each.letter.empty() && word == "-" + each.letter);
    });
    return found == described.end() ? nullptr : &*found;
  }
};

namespace {

constexpr std::string_view kOtherSpelling = "no-color";

/// Of one that `option` (null: there is none) begins with.
std::string why_wrong(const po::error_with_option_name& error, const CommandDescription::Option& option) {
  const std::string name = error.get_option_name();
  if (dynamic_cast<const po::multiple_occurrences*>(&error) != nullptr) return name + ": expected once, found twice";
  return option.value.empty() ? fmt::format("{} takes no value", name)
                              : fmt::format("{}: expected {} {}, found no value", name, name, option.value);
}

}  // namespace

bool is_common_option(std::string_view word) {
  return word == "--quiet" || word == "-q" || word == "--no-colour" || word == "--no-color";
}

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
  // As a text: read_numbers says what is wrong with it.
  auto* const number = po::value<std::string>()->value_name(value);
  options_->add(name, if_not_said ? number->default_value(std::to_string(*if_not_said)) : number, about);
  options_->describe(name, value, about);
  options_->numeric.push_back(options_->described.back().name);
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
  every.add_options()(positional_.c_str(), po::value<std::vector<std::string>>())(kOtherSpelling.data(), "");
  po::positional_options_description positional;
  positional.add(positional_.c_str(), -1);
  try {
    po::store(po::command_line_parser(arguments)
                  .options(every)
                  .positional(positional)
                  .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                  .run(),
              options_->values);
    po::notify(options_->values);
  } catch (const po::error_with_option_name& error) {
    const auto* const option = options_->typed(error.get_option_name());
    if (option != nullptr) throw refusal(why_wrong(error, *option));
    throw refusal(fmt::format("there is no option '{}'{}", error.get_option_name(),
                              did_you_mean(error.get_option_name(), options_->names())));
  } catch (const po::error& error) {
    throw refusal(error.what());
  }
  if (has("quiet")) be_quiet();
  if (has("no-colour") || has(std::string(kOtherSpelling))) refuse_colour();
  if (has("help")) {
    print_folded(fmt::format("usage: mlocksim {}\n\n", usage_));
    fmt::print("{}\n{}", wrapped(about_, line_width()), options_->text(page_width()));
    return false;
  }
  read_numbers();
  check_positional();
  return true;
}

UsageError CommandLine::refusal(const std::string& why) const {
  return UsageError(
      fmt::format("{}\nusage: mlocksim {}\nSee: mlocksim {} --help", why, usage_, usage_.substr(0, usage_.find(' '))));
}

void CommandLine::check_positional() const {
  const std::vector<std::string> said = has(positional_) ? all(positional_) : std::vector<std::string>{};
  if (required_ && most_ != 0 && said.empty()) throw refusal("missing " + positional_);
  if (most_ < 0 || said.size() <= static_cast<std::size_t>(most_)) return;
  const std::string expected = most_ == 0   ? "nothing but options"
                               : most_ == 1 ? "one " + positional_
                                            : fmt::format("{} {} at most", most_, positional_);
  throw refusal(fmt::format("expected {}, found '{}'", expected, fmt::join(said, "', '")));
}

void CommandLine::read_numbers() {
  for (const std::string& name : options_->numeric) {
    if (!has(name)) continue;
    const auto text = options_->values[name].as<std::string>();
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, options_->numbers[name]);
    if (error == std::errc() && rest == end) continue;
    throw refusal(fmt::format("--{}: expected a whole number, found '{}'", name, text));
  }
}

bool CommandLine::has(const std::string& name) const { return options_->values.count(name) > 0; }

std::optional<std::string> CommandLine::find(const std::string& name) const {
  return has(name) ? std::optional(options_->values[name].as<std::string>()) : std::nullopt;
}

std::optional<std::int64_t> CommandLine::find_number(const std::string& name) const {
  const auto found = options_->numbers.find(name);
  return found == options_->numbers.end() ? std::nullopt : std::optional(found->second);
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
