#include "experiments/commands/commands.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/color.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"

namespace experiments {

namespace po = boost::program_options;

CommandLine::CommandLine(std::string usage, std::string about, std::string positional, int most)
    : usage_(std::move(usage)), about_(std::move(about)), positional_(std::move(positional)), most_(most) {
  visible_.add_options()("help,h", "print this help");
}

std::vector<std::string> CommandLine::option_names() const {
  std::vector<std::string> names;
  for (const auto& option : visible_.options()) names.push_back("--" + option->long_name());
  return names;
}

bool CommandLine::parse(const Arguments& arguments) {
  po::options_description all;
  all.add(visible_);
  all.add_options()(positional_.c_str(), po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  positional.add(positional_.c_str(), most_);
  const std::string usage = fmt::format("usage: mlocksim {}", usage_);
  try {
    po::store(po::command_line_parser(arguments)
                  .options(all)
                  .positional(positional)
                  .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                  .run(),
              values_);
    po::notify(values_);
  } catch (const po::unknown_option& error) {
    throw UsageError(
        fmt::format("{}{}\n{}", error.what(), did_you_mean(error.get_option_name(), option_names()), usage));
  } catch (const po::error& error) {
    throw UsageError(fmt::format("{}\n{}", error.what(), usage));
  }
  if (has("help")) {
    std::ostringstream options;
    options << visible_;
    fmt::print("{}\n\n{}\n\n{}", usage, about_, options.str());
    return false;
  }
  if (most_ != 0 && !has(positional_)) throw UsageError(fmt::format("missing {}\n{}", positional_, usage));
  return true;
}

int positive(const CommandLine& line, const std::string& option, int most) {
  const int value = line.get<int>(option);
  if (value < 1 || value > most) {
    throw UsageError(fmt::format("--{}: expected a number from 1 to {}, found {}", option, most, value));
  }
  return value;
}

void add_jobs_option(CommandLine& line) {
  line.add()("jobs,j",
             po::value<int>()
                 ->default_value(static_cast<int>(std::max(1U, std::thread::hardware_concurrency())))
                 ->value_name("N"),
             "runs at a time");
}

int jobs_of(const CommandLine& line) {
  constexpr int kMostJobs = 1024;
  return positive(line, "jobs", kMostJobs);
}

void add_scenario_options(CommandLine& line) {
  line.add()("seed", po::value<std::string>()->value_name("N"), "seed of all random streams")(
      "set", po::value<std::vector<std::string>>()->composing()->value_name("KEY=VALUE"),
      "change a key of the scenario, such as processes[0].regions.heap.size=1GiB; may be repeated")(
      "stepwise", "take one event a step: slow, and the same result to the byte")(
      "simgrid", po::value<std::vector<std::string>>()->composing()->value_name("OPTION"),
      "an option for SimGrid, such as --cfg=contexts/factory:thread; may be repeated. Its own traces need --stepwise: "
      "otherwise its clock stands still until the end");
}

namespace {

// Not left to boost: it reads -1 as 2^64 - 1.
std::uint64_t seed_of(const std::string& text) {
  std::uint64_t seed = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, seed);
  if (error == std::errc() && rest == end) return seed;
  throw UsageError(fmt::format("--seed: expected a whole number from 0 to {}, found '{}'",
                               std::numeric_limits<std::uint64_t>::max(), text));
}

}  // namespace

Overrides overrides_of(const CommandLine& line, std::vector<std::string> policies) {
  Overrides overrides;
  overrides.sets = line.find<std::vector<std::string>>("set").value_or(std::vector<std::string>{});
  if (const auto seed = line.find<std::string>("seed")) overrides.seed = seed_of(*seed);
  overrides.policies = std::move(policies);
  return overrides;
}

sim::Engine::Options engine_options_of(const CommandLine& line) {
  return {line.has("stepwise"), line.find<std::vector<std::string>>("simgrid").value_or(std::vector<std::string>{})};
}

std::filesystem::path scenario_file(const std::string& name) {
  const auto file = find_config(ConfigKind::scenarios, name, {""});
  if (!file) throw UsageError(file.message());
  return *file;
}

models::Scenario read_named_scenario(const std::string& name, const Overrides& overrides) {
  return read_scenario(scenario_file(name), overrides);
}

int report_expectations(const std::vector<ExpectationCheck>& checks) {
  if (checks.empty()) return kOk;
  fmt::print("\n{}", to_text(checks));
  return all_hold(checks) ? kOk : kExpectationFailed;
}

namespace {

// What a symbolic link leads to, so that the link stays one.
std::filesystem::path target_of(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_symlink(path, ignored) ? std::filesystem::weakly_canonical(path, ignored) : path;
}

}  // namespace

OutputFile::OutputFile(std::filesystem::path path) : path_(target_of(path)), partial_(path_) {
  std::error_code ignored;
  // A device or a pipe is written to; replacing it would put a plain file in its place.
  const bool in_place = std::filesystem::exists(path_, ignored) && !std::filesystem::is_regular_file(path_, ignored);
  if (!in_place) partial_ += fmt::format(".part{}", getpid());
  const bool writable = in_place ? !std::filesystem::is_directory(path_) && access(path_.c_str(), W_OK) == 0
                                 : path_.has_filename() && std::ofstream(partial_).is_open();
  if (!writable) throw UsageError(fmt::format("'{}': cannot be written", path.string()));
}

OutputFile::~OutputFile() {
  std::error_code ignored;
  if (partial_ != path_) std::filesystem::remove(partial_, ignored);
}

void OutputFile::commit(const std::string& text) {
  stream() << text;
  commit();
}

std::ostream& OutputFile::stream() {
  if (!out_.is_open()) out_.open(partial_, std::ios::trunc);
  return out_;
}

void OutputFile::commit() {
  out_.close();
  if (!out_) throw std::runtime_error(fmt::format("{}: writing failed (disk full?)", path_.string()));
  if (partial_ != path_) std::filesystem::rename(partial_, path_);
}

bool on_terminal() { return isatty(STDOUT_FILENO) != 0; }

bool colour_wanted() { return on_terminal() && std::getenv("NO_COLOR") == nullptr; }

std::string bold(const std::string& text) {
  return colour_wanted() ? fmt::format(fmt::emphasis::bold, "{}", text) : text;
}

std::size_t page_width() {
  constexpr std::size_t kWidePage = 200;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kWidePage;
  return size.ws_col;
}

std::string heading(const models::Scenario& scenario) {
  return fmt::format("{}\n{}\n{} CPUs ({}), {} of memory, {} free at the start; seed {}\n", bold(scenario.name),
                     scenario.about, scenario.machine.cpus, scenario.machine.name, human(scenario.memory.size),
                     human(scenario.memory.free), scenario.seed);
}

}  // namespace experiments
