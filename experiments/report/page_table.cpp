#include "experiments/report/page_table.h"

#include <fmt/format.h>

#include "experiments/base/html.h"
#include "experiments/report/page_frame.h"
#include "experiments/report/report_data.h"

namespace experiments {

std::string word_cell(const std::string& text) { return "<td class=w>" + html_text(text); }

std::string count_cell(double count) { return fmt::format("<td data-v={0:.0f}>{0:.0f}", count); }

std::string time_cell(const std::optional<double>& nanoseconds) {
  return nanoseconds ? fmt::format("<td data-v={:.0f}>{}", *nanoseconds, time_text(*nanoseconds))
                     : std::string("<td>-");
}

std::string table_html(const PageTable& table, const std::string& rows) {
  if (rows.empty()) return fmt::format("<h3>{}</h3>\n<p>None.</p>\n", table.title);
  std::string heads;
  for (const PageColumn& column : table.columns) {
    heads += column_head(column.name, column.title, column.words ? " class=\"w\"" : "");
  }
  return fmt::format(
      "<h3>{1}</h3>\n{7}{5}<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: {1}, scrolls "
      "sideways\">\n<table{6} id=\"{0}\">\n<caption>{2}</caption>\n<thead><tr>{3}</tr></thead>\n<tbody>\n{4}</tbody>\n"
      "</table>\n</div>\n",
      table.id, table.title, table.caption, heads, rows, table.sorts ? table_tools(table.id) : "",
      table.sorts ? " class=\"sortable\"" : "", table.lead);
}

}  // namespace experiments
