#include "experiments/report/gnuplot.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <boost/algorithm/string/replace.hpp>
#include <boost/algorithm/string/trim.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "experiments/base/diagnostics.h"

namespace experiments {

namespace {

// What all plots share. Text is text: policies have underscores in their names. Thin grey where the eye needs a hint
// only.
constexpr const char* kStyle = R"(set datafile separator comma
set datafile columnheaders
set termoption noenhanced
set border 3 linewidth 1.5 linecolor rgb '#000000'
set tics nomirror out scale 0.6
set grid linecolor rgb '#cccccc' linewidth 1 linetype 1
set key outside top left horizontal Left reverse samplen 2.5 noenhanced maxcols 2
set bars small
set style fill solid 1.0 noborder
)";

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream stream(file, std::ios::trunc);
  stream << text;
  stream.close();
  if (!stream) throw std::runtime_error(fmt::format("{}: writing failed (disk full?)", file.string()));
}

/// What an SVG drawing of gnuplot's may be called: letters, digits and `_`.
std::string svg_id(std::string name) {
  for (char& each : name) {
    if (std::isalnum(static_cast<unsigned char>(each)) == 0) each = '_';
  }
  return name;
}

std::string script_of(const Plot& plot) {
  const auto part = [&](const char* terminal, const char* ending) {
    return fmt::format("set terminal {}\nset output {}\n{}{}unset output\nreset\n", terminal,
                       gnuplot_string(plot.name + ending), kStyle, plot.commands);
  };
  const std::string svg = fmt::format("svg size 1600,{} dynamic font 'DejaVu Sans,24' background rgb 'white' name {}",
                                      plot.height, gnuplot_string(svg_id(plot.name)));
  const std::string png =
      fmt::format("pngcairo size 1600,{} font 'DejaVu Sans,18' background rgb 'white'", plot.height);
  return fmt::format("# gnuplot {0}.gnuplot, in this folder, makes {0}.svg and {0}.png\nDATA = {1}\n{2}{3}", plot.name,
                     gnuplot_string(plot.name + ".csv"), part(svg.c_str(), ".svg"), part(png.c_str(), ".png"));
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// The last line that says something, without spaces around it.
std::string last_line(const std::string& text) {
  std::istringstream lines(text);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    boost::trim(line);
    if (!line.empty()) last = line;
  }
  return last;
}

/// Starts gnuplot in `folder`; nothing where that cannot be done. What it says goes to the file `words` there.
std::optional<pid_t> start_gnuplot(std::string script, const std::string& words, const std::filesystem::path& folder) {
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, words.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  std::string program = "gnuplot";
  char* arguments[] = {program.data(), script.data(), nullptr};
  pid_t process = 0;
  const int error = posix_spawnp(&process, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? std::optional(process) : std::nullopt;
}

/// The status of a process that has ended by then. Nothing: it has not, and is killed.
std::optional<int> wait_for(pid_t process, std::chrono::milliseconds limit) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kBetweenLooks{2};
  const auto end = Clock::now() + limit;
  int status = 0;
  while (waitpid(process, &status, WNOHANG) == 0) {
    if (Clock::now() >= end) {
      kill(process, SIGKILL);
      waitpid(process, &status, 0);
      return std::nullopt;
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
  return status;
}

/// Runs gnuplot in `folder`; empty, or why it has not done what it should. What it says goes to a file meanwhile.
std::string failure_of_gnuplot(const std::string& script, const std::filesystem::path& folder,
                               std::chrono::milliseconds limit) {
  const std::string words = script + ".log";
  const auto process = start_gnuplot(script, words, folder);
  if (!process) return "gnuplot cannot be started";
  const auto status = wait_for(*process, limit);
  const std::string said = last_line(text_of(folder / words));
  std::filesystem::remove(folder / words);
  if (!status) return fmt::format("gnuplot had not drawn it after {} ms", limit.count());
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return {};
  return said.empty() ? "gnuplot failed and did not say why" : "gnuplot failed: " + said;
}

}  // namespace

std::string gnuplot_string(std::string_view text) {
  // In single quotes nothing is special but the quote itself, and no line may end.
  std::string escaped = boost::replace_all_copy(std::string(text), "'", "''");
  boost::replace_all(escaped, "\n", " ");
  return "'" + escaped + "'";
}

std::string file_stem(std::string_view text) {
  std::string stem(text);
  for (char& each : stem) {
    if (std::isalnum(static_cast<unsigned char>(each)) == 0 && each != '_' && each != '-' && each != '.') each = '_';
  }
  if (stem.empty()) return "_";
  if (stem.front() == '-' || stem.front() == '.') stem.front() = '_';
  return stem;
}

void require_gnuplot() {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/bin:/usr/bin" : path);  // where else programs are looked for
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((folder + "/gnuplot").c_str(), X_OK) == 0) return;
  }
  throw UsageError("the figures need gnuplot, which is not installed: on Debian it is the package gnuplot-nox");
}

std::variant<std::string, NotDrawn> draw(const Plot& plot, const std::filesystem::path& folder,
                                         std::chrono::milliseconds limit) {
  std::filesystem::create_directories(folder);
  write(folder / (plot.name + ".csv"), plot.data);
  write(folder / (plot.name + ".gnuplot"), script_of(plot));
  const std::filesystem::path svg = folder / (plot.name + ".svg");
  const std::filesystem::path png = folder / (plot.name + ".png");
  const auto remove_both = [&] {
    std::filesystem::remove(svg);
    std::filesystem::remove(png);
  };
  remove_both();  // what an earlier report has left is not this one's
  std::string failure = failure_of_gnuplot(plot.name + ".gnuplot", folder, limit);
  std::string drawn = text_of(svg);
  std::error_code missing;
  if (failure.empty() && (drawn.empty() || std::filesystem::file_size(png, missing) == 0 || missing)) {
    failure = "gnuplot ended without a word, and without a drawing";
  }
  if (failure.empty()) return drawn;
  remove_both();
  return NotDrawn{failure};
}

std::string tics_list(const Tics& tics) {
  std::string list;
  for (const auto& [label, at] : tics) {
    list += fmt::format("{}{} {:.10g}", list.empty() ? "" : ", ",
                        gnuplot_string(boost::replace_all_copy(label, "%", "%%")), at);  // it is a format
  }
  return "(" + list + ")";
}

Tics time_tics(double low, double high) {
  const auto at_steps = [&](std::initializer_list<double> steps) {
    Tics tics;
    for (int exponent = 0; exponent < 13; ++exponent) {
      for (const double step : steps) {
        const double at = step * std::pow(10, exponent);
        if (at < low * 0.999 || at > high * 1.001) continue;
        constexpr const char* kUnits[] = {"ns", "µs", "ms", "s", "ks"};
        const int unit = std::min(exponent / 3, 3);
        tics.emplace_back(fmt::format("{:g} {}", at / std::pow(1000, unit), kUnits[unit]), at);
      }
    }
    return tics;
  };
  const Tics decades = at_steps({1});
  constexpr std::size_t kFew = 3;
  return decades.size() < kFew ? at_steps({1, 2, 5}) : decades;
}

}  // namespace experiments
