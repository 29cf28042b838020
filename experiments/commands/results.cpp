#include <fmt/format.h>

#include <sqlite3.h>

#include <boost/algorithm/string/trim.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "experiments/base/output_file.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/study/store.h"
#include "experiments/study/study_results.h"

namespace experiments {

namespace {

using Cells = std::vector<std::string>;

// So many rows decide how wide columns are. What comes after them is printed as it comes, however much it is.
constexpr std::size_t kMostKept = 10'000;

UsageError refuse_query(const std::string& why) { return UsageError("--sql: " + why); }

/// Lets a query read, and nothing else: not VACUUM INTO, not ATTACH.
int allow_reading(void* /*unused*/, int action, const char* argument, const char* value, const char* /*database*/,
                  const char* /*trigger*/) {
  static const std::set<std::string_view> kHarmlessPragmas{"table_info", "table_xinfo", "table_list",
                                                           "index_list", "index_info",  "index_xinfo"};
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return value != nullptr && std::string_view(value) == "load_extension" ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA:
      return kHarmlessPragmas.contains(argument) || (std::string_view(argument) == "user_version" && value == nullptr)
                 ? SQLITE_OK
                 : SQLITE_DENY;
    default:
      return SQLITE_DENY;
  }
}

/// What follows the first statement of `sql`; nothing where there is no statement in it at all.
std::optional<std::string> rest_behind_statement(SQLite::Database& database, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v2(database.getHandle(), sql.c_str(), -1, &statement, &rest);
  const bool none = statement == nullptr;
  sqlite3_finalize(statement);
  if (code != SQLITE_OK) throw SQLite::Exception(database.getHandle(), code);
  return none ? std::nullopt : std::optional<std::string>(rest);
}

/// One statement that reads.
void check_query(SQLite::Database& database, const std::string& sql) {
  const auto rest = rest_behind_statement(database, sql);
  if (!rest) throw refuse_query("expected a query such as 'SELECT * FROM latency', found none");
  if (rest_behind_statement(database, *rest)) {
    throw refuse_query(fmt::format("expected one query, found more: '{}'", boost::algorithm::trim_copy(*rest)));
  }
}

class Table {
 public:
  explicit Table(Cells head) : widths_(head.size(), 0) { add(std::move(head)); }

  void add(Cells row) {
    if (streams_) return print(row);
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths_[column] = std::max(widths_[column], row[column].size());
    }
    kept_.push_back(std::move(row));
    if (kept_.size() > kMostKept) flush();
  }

  void flush() {
    streams_ = true;
    for (const Cells& row : kept_) print(row);
    kept_.clear();
  }

 private:
  void print(const Cells& row) const {
    std::string text;
    for (std::size_t column = 0; column < row.size(); ++column) {
      text += fmt::format("{:<{}}  ", row[column], widths_[column]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    fmt::print("{}\n", text);
  }

  std::vector<std::size_t> widths_;
  std::vector<Cells> kept_;
  bool streams_ = false;
};

/// Prints the answer to a query, with its column names first.
void answer(SQLite::Database& database, const std::string& sql) {
  sqlite3_set_authorizer(database.getHandle(), allow_reading, nullptr);
  check_query(database, sql);
  SQLite::Statement statement(database, sql);
  Cells head;
  for (int column = 0; column < statement.getColumnCount(); ++column) head.push_back(statement.getColumnName(column));
  Table table(std::move(head));
  while (statement.executeStep()) {
    Cells row;
    for (int column = 0; column < statement.getColumnCount(); ++column) {
      row.push_back(column_text(statement.getColumn(column)));
    }
    table.add(std::move(row));
  }
  table.flush();
}

void answer(Store& store, const std::string& sql) {
  try {
    store.with([&](SQLite::Database& database) {
      try {
        answer(database, sql);
      } catch (const SQLite::Exception& error) {
        if (error.getErrorCode() != SQLITE_AUTH) throw;
        throw refuse_query("only reading is allowed, such as SELECT");
      }
    });
  } catch (const StoreError& error) {
    throw refuse_query(error.what());
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
    answer(store, *sql);
    return kOk;
  }
  const StudyResults results = read_results(store);
  if (csv) csv->commit(to_csv(results));
  if (json) json->commit(to_json(results).dump(2) + "\n");
  if (!csv && !json) print_folded(to_text(results));
  const std::size_t missing = results.count("running") + results.count("");
  if (missing > 0) tell_note(fmt::format("{} runs of the study have not ended yet\n", missing));
  const std::size_t short_of_memory = results.count_out_of_memory();
  if ((csv || json) && short_of_memory > 0) tell(fmt::format("{} runs ran OUT OF MEMORY\n", short_of_memory));
  return kOk;
}

}  // namespace experiments
