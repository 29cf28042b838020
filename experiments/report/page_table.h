// Tables of a page whose figures are what a command has written as JSON: words, counts, times.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace experiments {

[[nodiscard]] std::string word_cell(const std::string& text);
[[nodiscard]] std::string count_cell(double count);
/// A dash where there is none.
[[nodiscard]] std::string time_cell(const std::optional<double>& nanoseconds);

struct PageColumn {
  const char* name;   ///< by which rows are filtered
  const char* title;  ///< HTML
  bool words = false;
};

struct PageTable {
  const char* id;
  const char* title;
  const char* caption;
  std::vector<PageColumn> columns;
  bool sorts = false;     ///< by any column, and filters
  const char* lead = "";  ///< HTML that stands above it
};

/// The table with its heading. `rows`: HTML; without any there is a sentence instead.
[[nodiscard]] std::string table_html(const PageTable& table, const std::string& rows);

}  // namespace experiments
