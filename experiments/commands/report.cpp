#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "experiments/base/output_file.h"
#include "experiments/commands/commands.h"
#include "experiments/report/explanation_page.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/report_page.h"
#include "experiments/report/trace_page.h"
#include "experiments/report/validation_page.h"
#include "experiments/run/semaphore_timeline.h"

namespace experiments {

namespace {

/// Where a report is written.
struct Places {
  std::filesystem::path page;
  std::filesystem::path figures;  ///< the folder
};

/// Each page has figures of its own: several may lie in one folder.
Places beside(const std::filesystem::path& page) {
  const std::string name = page.filename() == "report.html" ? "figures" : page.stem().string() + ".figures";
  return {page, page.parent_path() / name};
}

Places places_of(const CommandLine& line, const std::filesystem::path& input) {
  const auto option = line.find("output");
  const std::filesystem::path folder = std::filesystem::is_directory(input) ? input : input.parent_path();
  if (!option) return beside(folder / "report.html");
  const std::filesystem::path given = *option;
  return beside(given.extension() == ".html" ? given : given / "report.html");
}

std::variant<SemaphoreTimeline, std::string> timeline_of(const ReportData& data, const RunOutcome& run,
                                                         const Json& result) {
  const auto scenario = scenario_of(data, run);
  if (!scenario) return "its run cannot be repeated: " + scenario.message();
  return semaphore_timeline(*scenario, result);
}

/// Only when there is something to write. That it cannot be made is said when it is written into.
void make_folder_of(const std::filesystem::path& page) {
  std::error_code reported_later;
  if (page.has_parent_path()) std::filesystem::create_directories(page.parent_path(), reported_later);
}

void write_explanation(const std::filesystem::path& input, const Places& places) {
  const Json explanation = read_explanation(input);
  make_folder_of(places.page);
  OutputFile page(places.page);
  const auto figures = draw_all({remedy_figure(explanation)}, places.figures);
  page.commit(explanation_page(explanation, figures, places.figures.filename(), input.string()));
}

void write_trace(const std::filesystem::path& input, const Places& places) {
  const Json import = read_import(input);
  const std::vector<FigureOrNot> figures{traced_waits_figure(import), traced_holds_figure(import)};
  make_folder_of(places.page);
  OutputFile page(places.page);
  const auto drawn = draw_all(figures, places.figures);
  page.commit(trace_page(import, drawn, places.figures.filename(), input.string()));
}

void write_validation(const std::filesystem::path& input, const Places& places) {
  const Json validation = read_validation(input);
  make_folder_of(places.page);
  OutputFile page(places.page);
  const auto figures = draw_all(validated_figures(validation), places.figures);
  page.commit(validation_page(validation, figures, places.figures.filename(), input.string()));
}

/// `explanation`: a file of `explain --json` that becomes a section of the page.
void write_report(const std::filesystem::path& input, const std::optional<std::string>& explanation,
                  const Places& places) {
  const bool is_file = std::filesystem::is_regular_file(input);
  const Json written = is_file ? Json::parse(std::ifstream(input), nullptr, false) : Json();
  const bool explains = is_explanation(written);
  const bool of_trace = !explains && is_import(written);
  const bool validates = !explains && !of_trace && is_validation(written);
  if (explanation && (explains || of_trace || validates)) {
    throw UsageError("--explain: expected a study or a comparison beside it");
  }
  if (explains) return write_explanation(input, places);
  if (of_trace) return write_trace(input, places);
  if (validates) return write_validation(input, places);
  const ReportData data = read_report_data(input);
  const std::optional<Json> json = explanation ? std::optional(read_explanation(*explanation)) : std::nullopt;
  const std::string section = json ? explanation_section(*json) : std::string();
  make_folder_of(places.page);
  OutputFile page(places.page);
  const Focus focus = focus_of(data);
  std::vector<FigureOrNot> figures = figures_of(
      data, focus, [&](const RunOutcome& run, const Json& result) { return timeline_of(data, run, result); });
  if (json) figures.insert(figures.begin(), remedy_figure(*json));
  const auto drawn = draw_all(figures, places.figures);
  page.commit(
      report_page(data, focus, answer_of(data, focus), drawn, places.figures.filename(), input.string(), section));
}

void write_difference(const std::filesystem::path& before, const std::filesystem::path& after, const Places& places) {
  const StudyDifference difference = difference_of(read_report_data(before), read_report_data(after));
  make_folder_of(places.page);
  OutputFile page(places.page);
  const auto figures = draw_all({difference_figure(difference)}, places.figures);
  page.commit(difference_page(difference, figures, places.figures.filename(), before.string(), after.string()));
}

/// Shows a page in the user's browser. Returns whether there is one.
bool open_page(const std::filesystem::path& page) {
  const char* const browser = std::getenv("BROWSER");
  std::string program = browser != nullptr && *browser != '\0' ? browser : "xdg-open";
  std::string file = std::filesystem::absolute(page).string();
  char* arguments[] = {program.data(), file.data(), nullptr};
  pid_t process = 0;
  if (posix_spawnp(&process, program.c_str(), nullptr, nullptr, arguments, environ) != 0) return false;
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int command_report(const Arguments& arguments) {
  CommandLine line(
      "report DIR [OPTION]...",
      "Makes the page of a study: the question and its answer, figures, method, all results. DIR is the folder\n"
      "of a study, or a file that `compare --json`, `explain --json`, `import --json` or `validate --json` has\n"
      "written. Writes DIR/report.html, which needs nothing else to be opened, and DIR/figures with every figure\n"
      "as SVG and PNG, its data as CSV, and gnuplot's script; those of a page FILE.html are in FILE.figures.",
      "DIR", 2);
  line.flag("diff", "two studies, DIR_A DIR_B: what changed from the one to the other");
  line.text("output,o", "DIR|FILE.html", "write it there");
  line.text("explain", "FILE", "add what `explain --json FILE` has found as a section");
  line.flag("open", "show it in the browser: $BROWSER, or what xdg-open starts");
  if (!line.parse(arguments)) return kOk;
  const auto inputs = line.all("DIR");
  if (line.has("diff") != (inputs.size() == 2)) {
    throw UsageError(line.has("diff") ? "--diff: expected two folders, DIR_A DIR_B"
                                      : "expected one folder; two are for --diff");
  }
  require_gnuplot();
  const std::filesystem::path last = inputs.back();
  if (line.has("diff") && !line.has("output")) throw UsageError("--diff: expected -o DIR or -o FILE.html, too");
  const Places places = places_of(line, last);
  for (const std::string& input : inputs) {
    if (!std::filesystem::exists(input)) throw UsageError(fmt::format("'{}': there is no such folder or file", input));
  }
  line.has("diff") ? write_difference(inputs[0], inputs[1], places) : write_report(last, line.find("explain"), places);
  fmt::print("{}\n", places.page.string());
  if (line.has("open") && !open_page(places.page)) {
    throw std::runtime_error(fmt::format("no browser could be started; the page is {}", places.page.string()));
  }
  return kOk;
}

}  // namespace experiments
