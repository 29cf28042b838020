#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "experiments/base/output_file.h"
#include "experiments/commands/commands.h"
#include "experiments/study/store.h"
#include "experiments/study/study_results.h"

namespace experiments {

namespace {

using Rows = std::vector<std::vector<std::string>>;

/// The answer to a query, with its column names first.
Rows rows_of(Database& database, const std::string& sql) {
  try {
    Statement statement(database, sql);
    Rows rows(1);
    for (int column = 0; column < statement.columns(); ++column) rows.front().push_back(statement.column_name(column));
    while (statement.step()) {
      std::vector<std::string>& row = rows.emplace_back();
      for (int column = 0; column < statement.columns(); ++column) row.push_back(statement.text(column));
    }
    return rows;
  } catch (const DatabaseError& error) {
    throw UsageError(fmt::format("--sql: {}", error.what()));
  }
}

void print(const Rows& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  for (const auto& row : rows) {
    std::string text;
    for (std::size_t column = 0; column < row.size(); ++column) {
      text += fmt::format("{:<{}}  ", row[column], widths[column]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    fmt::print("{}\n", text);
  }
}

}  // namespace

int command_results(const Arguments& arguments) {
  CommandLine line(
      "results DIR [OPTION]...",
      "Shows what a study has found out: its measures with 95 % confidence intervals, and the differences\n"
      "from the first policy, seed by seed. A sweep may be running meanwhile.",
      "DIR", 1);
  line.text("sql", "QUERY", "answer a query instead; docs/studies.md describes the tables");
  line.text("csv", "FILE", "write all latencies of all runs");
  line.text("json", "FILE", "write measures, intervals and differences");
  if (!line.parse(arguments)) return kOk;
  std::optional<OutputFile> csv;
  if (const auto path = line.find("csv")) csv.emplace(*path);
  std::optional<OutputFile> json;
  if (const auto path = line.find("json")) json.emplace(*path);
  Store store(line.first(), Store::Mode::read);
  if (const auto sql = line.find("sql")) {
    print(rows_of(store.database(), *sql));
    return kOk;
  }
  const StudyResults results = read_results(store);
  if (csv) csv->commit(to_csv(results));
  if (json) json->commit(to_json(results).dump(2) + "\n");
  if (!csv && !json) fmt::print("{}", to_text(results));
  const std::size_t missing = results.count("running") + results.count("");
  if (missing > 0) fmt::print(stderr, "{} runs of the study have not ended yet\n", missing);
  return kOk;
}

}  // namespace experiments
