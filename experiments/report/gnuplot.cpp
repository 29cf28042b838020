#include "experiments/report/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <boost/algorithm/string/replace.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "experiments/base/diagnostics.h"
#include "experiments/base/html.h"
#include "experiments/report/report_data.h"

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

std::string script_of(const Plot& plot) {
  const auto part = [&](const char* terminal, const char* ending) {
    return fmt::format("set terminal {}\nset output {}\n{}{}unset output\nreset\n", terminal,
                       gnuplot_string(plot.name + ending), kStyle, plot.commands);
  };
  const std::string svg = fmt::format("svg size 1600,{} dynamic font 'DejaVu Sans,24' background rgb 'white' name {}",
                                      plot.height, gnuplot_string(plot.name));
  const std::string png =
      fmt::format("pngcairo size 1600,{} font 'DejaVu Sans,18' background rgb 'white'", plot.height);
  return fmt::format("# gnuplot {0}.gnuplot, in this folder, makes {0}.svg and {0}.png\nDATA = {1}\n{2}{3}", plot.name,
                     gnuplot_string(plot.name + ".csv"), part(svg.c_str(), ".svg"), part(png.c_str(), ".png"));
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Runs gnuplot in `folder`. What it says goes to a file there, which is removed if it says nothing.
void run_gnuplot(const std::string& script, const std::filesystem::path& folder) {
  const std::filesystem::path words = folder / (script + ".log");
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (script + ".log").c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                   0644);
  std::string program = "gnuplot";
  std::string argument = script;
  char* arguments[] = {program.data(), argument.data(), nullptr};
  pid_t process = 0;
  const int error = posix_spawnp(&process, "gnuplot", &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("gnuplot cannot be started");
  int status = 0;
  waitpid(process, &status, 0);
  const std::string said = text_of(words);
  std::filesystem::remove(words);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error(fmt::format("gnuplot failed on {}: {}", (folder / script).string(), said));
  }
}

}  // namespace

std::string gnuplot_string(std::string_view text) {
  // In single quotes nothing is special but the quote itself, and no line may end.
  std::string escaped = boost::replace_all_copy(std::string(text), "'", "''");
  boost::replace_all(escaped, "\n", " ");
  return "'" + escaped + "'";
}

void require_gnuplot() {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((folder + "/gnuplot").c_str(), X_OK) == 0) return;
  }
  throw UsageError("the figures need gnuplot, which is not installed: on Debian it is the package gnuplot-nox");
}

void draw(const std::vector<Plot>& plots, const std::filesystem::path& folder) {
  require_gnuplot();
  std::filesystem::create_directories(folder);
  for (const Plot& plot : plots) {
    write(folder / (plot.name + ".csv"), plot.data);
    write(folder / (plot.name + ".gnuplot"), script_of(plot));
    run_gnuplot(plot.name + ".gnuplot", folder);
  }
}

std::string inline_svg(const std::string& svg, const std::string& prefix, const std::string& label) {
  std::string text = svg.substr(std::min(svg.find("<svg"), svg.size()));
  // The first tag: only the view box is kept.
  const std::size_t tag_end = text.find('>');
  static const std::regex kViewBox("viewBox=\"[^\"]*\"");
  std::smatch box;
  const std::string tag = text.substr(0, tag_end);
  std::regex_search(tag, box, kViewBox);
  text = fmt::format("<svg role=\"img\" aria-label=\"{}\" {}{}", html_text(label), box.str(), text.substr(tag_end));
  static const std::regex kTitles("<(title|desc)>[^<]*</(title|desc)>\\s*");
  text = std::regex_replace(text, kTitles, "");
  static const std::regex kBackground("<rect [^>]*fill=\"#ffffff\"[^>]*/>");
  text = std::regex_replace(text, kBackground, "", std::regex_constants::format_first_only);
  static const std::regex kBlack("(rgb\\( *0, *0, *0\\)|\"black\"|'black'|\"#000000\"|'#000000')");
  text = std::regex_replace(text, kBlack, "\"currentColor\"");
  boost::replace_all(text, "'\"currentColor\"'", "\"currentColor\"");
  boost::replace_all(text, "\"\"currentColor\"\"", "\"currentColor\"");
  static const std::regex kIds("(id=['\"]|href=['\"]#|url\\(#)");
  return std::regex_replace(text, kIds, "$1" + prefix + "-");
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
