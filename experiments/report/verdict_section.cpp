#include "experiments/report/verdict_section.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/base/change.h"
#include "experiments/base/html.h"
#include "experiments/base/statistic_list.h"
#include "experiments/report/page_table.h"

namespace experiments {

namespace {

const char* change_words(Change change) {
  return change == Change::none ? "none shown" : change == Change::shorter ? "shorter" : "longer";
}

std::string row_of(const ClassEffect& effect) {
  std::string row = "<tr>" + word_cell(effect.measure.class_name) + word_cell(effect.measure.phase) +
                    word_cell(std::string(find_statistic(effect.measure.statistic)->title)) +
                    time_cell(static_cast<double>(effect.before.count())) +
                    time_cell(static_cast<double>(effect.after.count())) + word_cell(effect.factor());
  const auto& difference = effect.difference;
  row += difference ? word_cell(fmt::format("{} [{}, {}]", time_text(difference->mean), time_text(difference->low),
                                            time_text(difference->high)))
                    : word_cell("-");
  return row + word_cell(change_words(effect.change)) + "\n";
}

std::string answer_html(const PolicyAnswer& answer, std::size_t number) {
  std::string rows;
  for (const ClassEffect& effect : answer.effects) rows += row_of(effect);
  const std::string id = fmt::format("verdict-{}", number);
  const std::string title = html_text(answer.question);
  const std::string lead = fmt::format("<p><strong>{}</strong></p>\n", html_text(answer.in_words()));
  const std::string caption = fmt::format(
      "From {} to {}, which differ in {}.", html_text(answer.before), html_text(answer.after),
      answer.differ_in.empty() ? "nothing" : html_text(fmt::format("{}", fmt::join(answer.differ_in, ", "))));
  const PageTable table{.id = id.c_str(),
                        .title = title.c_str(),
                        .caption = caption.c_str(),
                        .columns = {{"class", "requests of", true},
                                    {"during", "due during", true},
                                    {"statistic", "statistic", true},
                                    {"before", "before"},
                                    {"after", "after"},
                                    {"factor", "after is", true},
                                    {"difference", "difference, 95 % confidence", true},
                                    {"change", "change", true}},
                        .lead = lead.c_str()};
  return rows.empty() ? fmt::format("<h3>{}</h3>\n{}", title, lead) : table_html(table, rows);
}

}  // namespace

std::string verdict_section(const ReportData& data) {
  if (data.answers.empty()) return {};
  std::string text =
      "<section id=\"verdict\" aria-labelledby=\"verdict-title\">\n<h2 id=\"verdict-title\">Verdict</h2>\n<p>As "
      "<code>compare</code> prints it: times are of the requests of all seeds together.</p>\n";
  for (std::size_t number = 0; number < data.answers.size(); ++number) {
    text += answer_html(data.answers[number], number);
  }
  return text + "</section>\n";
}

}  // namespace experiments
