#include "experiments/report/validation_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "experiments/base/html.h"
#include "experiments/base/shell.h"
#include "experiments/base/statistic_list.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/page_table.h"
#include "experiments/report/report_data.h"
#include "experiments/report/written_json.h"

namespace experiments {

namespace {

constexpr const char* kSchema = "mlocksim-validation/1";

std::optional<double> statistic_in(const Json& times, const NamedStatistic& statistic) {
  const std::string key(statistic.column);
  const Json& value = times.at(key);
  return value.is_null() ? std::nullopt : std::optional(number_in(value, key));
}

/// The least and the greatest of the sittings; nothing for a single one.
std::pair<std::optional<double>, std::optional<double>> spread_of_sittings(const Json& times,
                                                                           const NamedStatistic& statistic) {
  std::vector<double> values;
  for (const Json& sitting : times.at("sittings")) {
    if (const auto value = statistic_in(sitting, statistic)) values.push_back(*value);
  }
  if (values.size() < 2) return {};
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return {*least, *most};
}

std::string ratio_cell(const std::optional<double>& real, const std::optional<double>& simulated) {
  if (!real || !simulated || *real <= 0) return "<td>-";
  const double ratio = *simulated / *real;
  return fmt::format("<td data-v={}>{}", ratio, three_digits(ratio));
}

std::string rows_of_times(const Json& times) {
  const std::string what = word_cell(title_of_times(times));
  std::string rows;
  for (const NamedStatistic& statistic : kStatistics) {
    const auto real = statistic_in(times.at("real"), statistic);
    const auto simulated = statistic_in(times.at("simulated"), statistic);
    if (statistic.name == "count" || (!real && !simulated)) continue;
    const auto [least, most] = spread_of_sittings(times, statistic);
    rows += "<tr>" + what + word_cell(std::string(statistic.title)) + time_cell(real) + time_cell(least) +
            time_cell(most) + time_cell(simulated) + ratio_cell(real, simulated) + "\n";
  }
  return rows;
}

std::string times_table(const Json& validation) {
  std::string rows;
  for (const Json& times : validation.at("times")) rows += rows_of_times(times);
  return table_html({"times",
                     "Real beside simulated",
                     "Requests of a class, by what the locker was doing when they were due, and the locker's calls. "
                     "All sittings together, with the least and the greatest of them. A dash: too few samples.",
                     {{"what", "of", true},
                      {"statistic", "statistic", true},
                      {"real", "real"},
                      {"least", "least sitting"},
                      {"most", "greatest sitting"},
                      {"simulated", "simulated"},
                      {"ratio", "simulated / real"}},
                     true},
                    rows);
}

std::string share_cell(const Json& wait, const char* key) {
  const double share = number_of(wait, key);
  return fmt::format("<td data-v={}>{:.2f}", share, share);
}

std::string wait_shares_table(const Json& validation) {
  std::string rows;
  for (const Json& wait : validation.at("waits")) {
    rows += "<tr>" + word_cell(text_at(wait, "class")) + word_cell(text_at(wait, "during")) + share_cell(wait, "real") +
            share_cell(wait, "simulated") + word_cell(wait.at("agrees").get<bool>() ? "yes" : "NO") + "\n";
  }
  return table_html({"waits",
                     "Who waits for whom",
                     "The part of a call's time that a class is held up: 1 for who waits from its beginning to its "
                     "end. Both wait, or neither: by whether it is more than a fifth.",
                     {{"class", "class", true},
                      {"call", "during", true},
                      {"real", "real"},
                      {"simulated", "simulated"},
                      {"agrees", "the same", true}}},
                    rows);
}

// --- the answer ---------------------------------------------------------------------------------------------------

std::string score_sentence(const Json& score) {
  if (number_of(score, "figures") == 0) {
    return "<strong>No score:</strong> nothing has samples enough on both sides.";
  }
  const auto percent = [&](const char* key) { return 100 * number_of(score, key); };
  return fmt::format(
      "<strong>Of {:.0f} figures {:.0f} % are within 25 %</strong> of the real machine's, {:.0f} % within 10 %, {:.0f} "
      "% "
      "within 50 %. The median is off by a factor of {:.2f}, the worst ({}) by {}.",
      number_of(score, "figures"), percent("within_25"), percent("within_10"), percent("within_50"),
      number_of(score, "median_factor"), html_text(text_at(score, "worst_of")),
      three_digits(number_of(score, "worst_factor")));
}

std::string who_waits_sentence(const Json& waits) {
  if (waits.empty()) return "Nobody could wait for a locker's call.";
  std::size_t same = 0;
  std::string others;
  for (const Json& wait : waits) {
    if (wait.at("agrees").get<bool>()) {
      ++same;
    } else {
      others +=
          fmt::format(" {} during {}: for {:.2f} of it really, {:.2f} simulated.", html_text(text_at(wait, "class")),
                      html_text(text_at(wait, "during")), number_of(wait, "real"), number_of(wait, "simulated"));
    }
  }
  return fmt::format("<strong>Who waits for whom is the same in {} of {} cases.</strong>{}", same, waits.size(),
                     others);
}

std::string validation_method(const Json& validation, const std::string& input) {
  const Json& real = validation.at("ran");
  const std::string file = html_text(shell_word(input));
  return fmt::format(
      "<section id=\"method\" aria-labelledby=\"method-title\">\n<h2 id=\"method-title\">Method</h2>\n"
      "<p>The threads of {} ran on Linux {} with {:.0f} CPUs, {:.0f} sittings, {} together. Simulated: {} on {}, as "
      "many replications{}.</p>\n"
      "<h3>To reproduce it</h3>\n<pre tabindex=\"0\">mlocksim validate SCENARIO --json {}\nmlocksim report {}</pre>\n"
      "</section>\n",
      html_text(text_at(real, "scenario")), html_text(text_at(real, "kernel")), number_of(real, "cpus"),
      number_of(real, "sittings"), time_text(number_of(real, "length_ns")), html_text(text_at(real, "policy")),
      html_text(text_at(real, "machine")),
      real.at("calibrated").get<bool>() ? "" : "; <strong>its costs were not measured on that machine</strong>", file,
      file);
}

}  // namespace

std::string title_of_times(const Json& times) {
  const auto name = times.find("class");
  return name == times.end() ? text_at(times, "call") + "()"
                             : fmt::format("{}, {}", name->get<std::string>(), text_at(times, "during"));
}

bool is_validation(const Json& json) { return json.is_object() && json.value("schema", Json()) == kSchema; }

Json read_validation(const std::filesystem::path& file) {
  return read_written(file, "mlocksim validate --json", [](const Json& json) {
    if (!json.contains("ran")) throw NotAsWritten("it is of an older mlocksim, which kept no distributions");
    (void)validation_page(json, {}, {}, {});
    (void)validated_figures(json);
  });
}

std::string validation_page(const Json& validation, const std::vector<DrawnOrNot>& figures, const std::string& files,
                            const std::string& input) {
  const Json& ran = validation.at("ran");
  const std::string name = text_at(ran, "scenario");
  std::vector<std::string> not_shown;
  if (!ran.at("calibrated").get<bool>()) {
    not_shown.push_back(
        html_prose("Costs of the simulated machine are not the real one's: `mlocksim calibrate` measures them."));
  }
  const std::string results =
      "<section id=\"results\" aria-labelledby=\"results-title\">\n<h2 id=\"results-title\">Results</h2>\n" +
      wait_shares_table(validation) + times_table(validation) + "</section>\n";
  return page_document(
      {"Real beside simulated: " + name, fmt::format("How far off is the simulation of {}?", name),
       fmt::format("Linux {} beside the same simulated.", text_at(ran, "kernel")), "a real machine and a simulation"},
      answer_section({score_sentence(validation.at("score")), who_waits_sentence(validation.at("waits"))}, not_shown) +
          figures_section(figures, files) + validation_method(validation, input) + results);
}

}  // namespace experiments
