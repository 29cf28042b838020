#include "experiments/study/store.h"

#include <SQLiteCpp/VariadicBind.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>

#include "experiments/base/diagnostics.h"
#include "experiments/base/installation.h"
#include "experiments/base/json.h"
#include "experiments/base/shell.h"
#include "experiments/scenario/resolved_scenario.h"

namespace experiments {

namespace {

constexpr int kSchemaVersion = 3;
constexpr std::int64_t kSilentSeconds = 300;
constexpr int kPatienceMilliseconds = 30'000;

constexpr const char* kSchema = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE point(number INTEGER PRIMARY KEY, labels TEXT NOT NULL);
CREATE TABLE point_value(point INTEGER NOT NULL, axis TEXT NOT NULL, value TEXT, PRIMARY KEY(point, axis)) WITHOUT ROWID;
CREATE TABLE point_run(point INTEGER NOT NULL, policy_order INTEGER NOT NULL, policy TEXT NOT NULL,
  replication INTEGER NOT NULL, run TEXT NOT NULL, PRIMARY KEY(point, policy_order, replication)) WITHOUT ROWID;
CREATE INDEX point_run_of_run ON point_run(run);
CREATE TABLE scenario(key TEXT PRIMARY KEY, yaml TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE run(key TEXT PRIMARY KEY, scenario TEXT NOT NULL, policy TEXT NOT NULL, seed INTEGER NOT NULL,
  digest TEXT NOT NULL, status TEXT NOT NULL CHECK(status IN ('running', 'done', 'failed')), reason TEXT,
  command TEXT NOT NULL, outcome TEXT, result BLOB, program TEXT NOT NULL, result_version INTEGER NOT NULL,
  wall_ns INTEGER, owner INTEGER, finished_at TEXT);
CREATE TABLE figure(run TEXT NOT NULL, class TEXT NOT NULL, phase TEXT NOT NULL, count INTEGER NOT NULL,
  mean_ns INTEGER, p50_ns INTEGER, p90_ns INTEGER, p99_ns INTEGER, p999_ns INTEGER, p9999_ns INTEGER, max_ns INTEGER,
  blame TEXT, tail_blame TEXT, PRIMARY KEY(run, class, phase)) WITHOUT ROWID;
CREATE TABLE fact(run TEXT NOT NULL, name TEXT NOT NULL, value NUMERIC NOT NULL, PRIMARY KEY(run, name)) WITHOUT ROWID;
CREATE TABLE owner(id INTEGER PRIMARY KEY, host TEXT NOT NULL, boot TEXT NOT NULL, pid INTEGER NOT NULL,
  started TEXT NOT NULL, seen_at INTEGER NOT NULL);
CREATE VIEW latency AS SELECT point_run.point, point_run.policy, point_run.replication, figure.*
  FROM point_run JOIN run ON run.key = point_run.run AND run.outcome = 'completed'
  JOIN figure ON figure.run = point_run.run;
PRAGMA user_version=3;
)";

std::string line_of(const std::string& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

/// Which start of the machine this is.
std::string boot_id() { return line_of("/proc/sys/kernel/random/boot_id"); }

/// When a process was started, in ticks since the machine was (proc(5), field 22): tells it from a later one of the
/// same number. Empty when there is none.
std::string start_of(std::int64_t process) {
  const std::string stat = line_of(fmt::format("/proc/{}/stat", process));
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(stat.substr(name_end + 1));
  std::string field;
  constexpr int kFieldsToStart = 20;
  for (int number = 0; number < kFieldsToStart; ++number) rest >> field;
  return field;
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::int64_t now_seconds() { return static_cast<std::int64_t>(std::time(nullptr)); }

void bind_number(SQLite::Statement& statement, int parameter, const std::optional<std::int64_t>& value) {
  if (value) {
    statement.bind(parameter, *value);
  } else {
    statement.bind(parameter);
  }
}

/// Nothing: NULL.
void bind_text(SQLite::Statement& statement, int parameter, const std::string& text) {
  if (text.empty()) {
    statement.bind(parameter);
  } else {
    statement.bind(parameter, text);
  }
}

std::string labels_of(const StudyPoint& point) {
  Json labels = Json::array();
  for (const auto& label : point.labels) labels.push_back(label ? Json(*label) : Json(nullptr));
  return labels.dump();
}

std::string command_of(const Study& study) {
  return fmt::format("mlocksim sweep {}{}", shell_word(study.file.string()), study.smoke ? " --smoke" : "");
}

/// What `results` has to know of a study without its file.
std::vector<std::pair<std::string, std::string>> meta_of(const StudyPlan& plan) {
  const Study& study = plan.study();
  Json measures = Json::array();
  for (const Measure& measure : study.measures) measures.push_back(to_text(measure));
  Json facts = Json::object();
  if (study.find) facts["find"] = {{"axis", study.find->axis}, {"where", study.find->text}};
  if (study.sensitivity) {
    Json factors = Json::array();
    for (const auto& [path, at] : study.sensitivity->factors) factors.push_back(path);
    facts["sensitivity"] = {{"factors", factors}, {"trajectories", study.sensitivity->trajectories}};
  }
  return {{"name", study.name},          {"about", study.about},         {"axes", Json(plan.axes()).dump()},
          {"measures", measures.dump()}, {"command", command_of(study)}, {"study", facts.dump()}};
}

InputError refusal(const std::filesystem::path& file, const std::string& message) {
  return InputError({{file.string(), 0, 0, "", message}});
}

/// Held while a store is made: of two who turn one file into a logged database at once, SQLite makes one fail without
/// waiting, and one could see it half made.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder) : folder_(open(folder.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (folder_ < 0 || flock(folder_, LOCK_EX) != 0) {
      throw refusal(folder, fmt::format("cannot be locked: {}", std::strerror(errno)));
    }
  }
  ~FolderLock() { close(folder_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int folder_;
};

std::string_view meaning_of(int code) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "the file is damaged or no SQLite database. Keep a copy and move it away; `sqlite3 FILE .recover` may "
             "save "
             "what is in it, and without it a sweep starts anew";
    case SQLITE_FULL:
      return "no room is left on the disk. What was stored before is safe: make room and start again";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "the file or its folder cannot be written (or read)";
    case SQLITE_IOERR:
      return "the disk failed or is full. What was stored before is safe";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process keeps it locked";
    default:
      return {};
  }
}

/// The file as a URI. One in a folder that cannot be written is read as one that does not change: the files that a
/// shared log needs cannot be made there.
std::string uri_of(const std::filesystem::path& file, bool writes) {
  std::string path;
  for (const char c : std::filesystem::absolute(file).string()) {
    const bool special = c == '%' || c == '?' || c == '#';
    path += special ? fmt::format("%{:02x}", c) : std::string(1, c);
  }
  const bool frozen =
      !writes && access(file.parent_path().c_str(), W_OK) != 0 && !std::filesystem::exists(file.string() + "-wal");
  return fmt::format("file:{}{}", path, frozen ? "?immutable=1" : "");
}

SQLite::Database open_file(const std::filesystem::path& file, bool writes) {
  const int mode = writes ? SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE : SQLite::OPEN_READONLY;
  return {uri_of(file, writes), mode | SQLite::OPEN_URI, kPatienceMilliseconds};
}

/// Refuses what is no store of this version, before anything in it is changed.
void check_schema(const std::filesystem::path& file, SQLite::Database& database) {
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  if (version > 0 && version < kSchemaVersion) {
    throw refusal(file, fmt::format("expected a store of schema version {}, found {}: an earlier mlocksim made it, and "
                                    "that one reads it. Nothing in it has been changed; to have the study in the new "
                                    "form, sweep it again into another folder",
                                    kSchemaVersion, version));
  }
  constexpr std::array kTables{"meta", "point",  "point_value", "point_run", "scenario",
                               "run",  "figure", "fact",        "owner"};
  const bool whole =
      std::all_of(kTables.begin(), kTables.end(), [&](const char* const table) { return database.tableExists(table); });
  if (version != kSchemaVersion || !whole) {
    throw refusal(file, fmt::format("expected a study of schema version {}, found {}", kSchemaVersion,
                                    version == kSchemaVersion ? "something else" : std::to_string(version)));
  }
}

void check_health(const std::filesystem::path& file, SQLite::Database& database) {
  const std::string health = database.execAndGet("PRAGMA quick_check(1)").getString();
  if (health == "ok") return;
  throw refusal(file, fmt::format("the file is damaged ({}). Keep a copy and move it away; `sqlite3 FILE .recover` "
                                  "may save what is in it, and without it a sweep starts anew",
                                  health));
}

bool is_empty(SQLite::Database& database) {
  return database.execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0;
}

/// Opens the file, or tells the user why not, as bad input: nothing has been done yet.
SQLite::Database open_database(const std::filesystem::path& file, Store::Mode mode) {
  const bool writes = mode == Store::Mode::write;
  std::error_code error;
  if (writes) std::filesystem::create_directories(file.parent_path(), error);
  if (error) throw refusal(file.parent_path(), fmt::format("cannot be made: {}", error.message()));
  if (!writes && !std::filesystem::is_regular_file(file, error)) {
    throw refusal(file, "there is no such file: `mlocksim sweep STUDY -o DIR` makes it");
  }
  if (writes && access(file.parent_path().c_str(), W_OK) != 0) {
    throw refusal(file.parent_path(), "the folder cannot be written");
  }
  std::optional<FolderLock> lock;
  if (writes) lock.emplace(file.parent_path());
  try {
    SQLite::Database database = open_file(file, writes);
    if (!writes || !is_empty(database)) check_schema(file, database);
    if (writes) {
      (void)database.execAndGet("PRAGMA journal_mode=WAL");
      database.exec("PRAGMA synchronous=FULL");
    }
    if (writes && is_empty(database)) {
      SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
      database.exec(kSchema);
      transaction.commit();
    }
    // Damage is found now, not in the middle of a sweep.
    check_health(file, database);
    return database;
  } catch (const SQLite::Exception& failure) {
    throw InputError({{"", 0, 0, "", StoreError(file, failure).what()}});
  }
}

void insert_runs(SQLite::Database& database, const std::vector<PointRun>& runs) {
  SQLite::Statement insert(database,
                           "INSERT OR REPLACE INTO point_run(point, policy_order, policy, replication, run) "
                           "VALUES (?, ?, ?, ?, ?)");
  for (const PointRun& run : runs) {
    SQLite::bind(insert, static_cast<std::int64_t>(run.point), static_cast<std::int64_t>(run.policy_order), run.policy,
                 run.replication, run.run);
    insert.exec();
    insert.reset();
  }
}

/// What there is to ask about a run in SQL.
void insert_result(SQLite::Database& database, const std::string& run, const StoredResult& result) {
  for (const char* const table : {"figure", "fact"}) {
    SQLite::Statement forget(database, fmt::format("DELETE FROM {} WHERE run = ?", table));
    forget.bind(1, run);
    forget.exec();
  }
  SQLite::Statement insert(database, "INSERT INTO figure VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, run);
  for (const StoredResult::Figure& figure : result.figures) {
    insert.bind(2, figure.class_name);
    insert.bind(3, figure.phase);
    int parameter = 4;
    for (const std::optional<std::int64_t>& value : figure.values) bind_number(insert, parameter++, value);
    bind_text(insert, parameter++, figure.blame);
    bind_text(insert, parameter, figure.tail_blame);
    insert.exec();
    insert.reset();
  }
  SQLite::Statement insert_fact(database, "INSERT INTO fact VALUES (?, ?, ?)");
  insert_fact.bind(1, run);
  for (const StoredResult::Fact& fact : result.facts) {
    insert_fact.bind(2, fact.name);
    std::visit([&](auto value) { insert_fact.bind(3, value); }, fact.value);
    insert_fact.exec();
    insert_fact.reset();
  }
}

void insert_plan(SQLite::Database& database, const StudyPlan& plan) {
  database.exec("DELETE FROM meta; DELETE FROM point; DELETE FROM point_value; DELETE FROM point_run");
  SQLite::Statement meta(database, "INSERT INTO meta(key, value) VALUES (?, ?)");
  for (const auto& [key, value] : meta_of(plan)) {
    SQLite::bind(meta, key, value);
    meta.exec();
    meta.reset();
  }
  SQLite::Statement insert(database, "INSERT INTO point(number, labels) VALUES (?, ?)");
  SQLite::Statement value(database, "INSERT INTO point_value(point, axis, value) VALUES (?, ?, ?)");
  for (const StudyPoint& point : plan.points()) {
    const auto number = static_cast<std::int64_t>(point.number);
    SQLite::bind(insert, number, labels_of(point));
    insert.exec();
    insert.reset();
    for (std::size_t axis = 0; axis < point.labels.size(); ++axis) {
      if (!point.labels[axis]) continue;
      SQLite::bind(value, number, plan.axes()[axis], *point.labels[axis]);
      value.exec();
      value.reset();
    }
  }
}

}  // namespace

StoreError::StoreError(const std::filesystem::path& file, const SQLite::Exception& error)
    : std::runtime_error(fmt::format("{}: {}{}{}", file.string(), meaning_of(error.getErrorCode()),
                                     meaning_of(error.getErrorCode()).empty() ? "" : " - ", error.what())) {}

std::string column_text(const SQLite::Column& column) { return column.isNull() ? std::string() : column.getString(); }

std::optional<std::int64_t> number_of(const SQLite::Column& column) {
  return column.isNull() ? std::nullopt : std::optional(column.getInt64());
}

Store::Store(const std::filesystem::path& folder, Mode mode)
    : file_(folder / "study.sqlite"), database_(open_database(file_, mode)) {}

std::int64_t Store::integer(const std::string& sql) {
  return with([&](SQLite::Database& database) { return database.execAndGet(sql).getInt64(); });
}

std::string Store::text(const std::string& sql) {
  return with([&](SQLite::Database& database) { return column_text(database.execAndGet(sql)); });
}

void Store::write_plan(const StudyPlan& plan, const std::vector<PointRun>& runs) {
  with([&](SQLite::Database& database) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    insert_plan(database, plan);
    insert_runs(database, runs);
    transaction.commit();
  });
}

void Store::add_runs(const std::vector<PointRun>& runs) {
  if (runs.empty()) return;
  with([&](SQLite::Database& database) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    insert_runs(database, runs);
    transaction.commit();
  });
}

void Store::register_owner() {
  if (owner_ != 0) return;
  SQLite::Statement insert(database_, "INSERT INTO owner(host, boot, pid, started, seen_at) VALUES (?, ?, ?, ?, ?)");
  SQLite::bind(insert, host_name(), boot_id(), static_cast<std::int64_t>(getpid()), start_of(getpid()), now_seconds());
  insert.exec();
  owner_ = database_.getLastInsertRowid();
}

bool Store::is_alive(std::int64_t owner) {
  SQLite::Statement find(database_, "SELECT host, boot, pid, started, seen_at FROM owner WHERE id = ?");
  find.bind(1, owner);
  if (!find.executeStep()) return false;
  const std::string started = find.getColumn(3).getString();
  if (find.getColumn(0).getString() != host_name()) {
    return now_seconds() - find.getColumn(4).getInt64() < kSilentSeconds;
  }
  return find.getColumn(1).getString() == boot_id() && !started.empty() &&
         start_of(find.getColumn(2).getInt64()) == started;
}

Claim Store::claim(const StoredRun& run) {
  {
    SQLite::Statement find(database_, "SELECT status, owner FROM run WHERE key = ?");
    find.bind(1, run.key);
    if (find.executeStep()) {
      if (find.getColumn(0).getString() != "running") return Claim::finished;
      const std::int64_t owner = find.getColumn(1).getInt64();
      if (owner != owner_ && is_alive(owner)) return Claim::elsewhere;
    }
  }
  SQLite::Statement scenario(database_, "INSERT OR IGNORE INTO scenario(key, yaml) VALUES (?, ?)");
  SQLite::bind(scenario, run.digest, run.resolved ? *run.resolved : std::string());
  scenario.exec();
  SQLite::Statement insert(database_,
                           "INSERT OR REPLACE INTO run(key, scenario, policy, seed, digest, status, command, program, "
                           "result_version, owner) VALUES (?, ?, ?, ?, ?, 'running', ?, ?, ?, ?)");
  SQLite::bind(insert, run.key, run.scenario, run.policy, static_cast<std::int64_t>(run.seed), run.digest, run.command,
               std::string(program_version()), kResultVersion, owner_);
  insert.exec();
  return Claim::granted;
}

void Store::finish(const RunEnd& end) {
  SQLite::Statement update(database_,
                           "UPDATE run SET status = ?, reason = ?, outcome = ?, result = ?, wall_ns = ?, "
                           "finished_at = datetime('now') WHERE key = ? AND status = 'running' AND owner = ?");
  update.bind(5, end.wall.count());
  update.bind(6, end.key);
  update.bind(7, owner_);
  if (const auto* const failure = std::get_if<Failure>(&end.outcome)) {
    update.bind(1, "failed");
    update.bind(2, failure->reason);
    update.exec();
    return;
  }
  const auto& result = std::get<StoredResult>(end.outcome);
  update.bind(1, "done");
  update.bind(3, result.outcome);
  update.bind(4, result.result.data(), static_cast<int>(result.result.size()));
  if (update.exec() > 0) insert_result(database_, end.key, result);
}

std::vector<Claim> Store::advance(const std::vector<RunEnd>& ended, const std::vector<StoredRun>& wanted,
                                  std::size_t most) {
  return with([&](SQLite::Database& database) {
    std::vector<Claim> claims;
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    register_owner();
    for (const RunEnd& end : ended) finish(end);
    std::size_t granted = 0;
    for (const StoredRun& run : wanted) {
      if (granted == most) break;
      claims.push_back(claim(run));
      if (claims.back() == Claim::granted) ++granted;
    }
    SQLite::Statement seen(database, "UPDATE owner SET seen_at = ? WHERE id = ?");
    SQLite::bind(seen, now_seconds(), owner_);
    seen.exec();
    transaction.commit();
    return claims;
  });
}

void Store::forget_failed(const std::vector<std::string>& keys) {
  with([&](SQLite::Database& database) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement forget(database, "DELETE FROM run WHERE key = ? AND status = 'failed'");
    for (const std::string& key : keys) {
      forget.bind(1, key);
      forget.exec();
      forget.reset();
    }
    transaction.commit();
  });
}

void Store::merge(const std::filesystem::path& folder) {
  const Store shard(folder, Mode::read);
  with([&](SQLite::Database& database) {
    SQLite::Statement attach(database, "ATTACH DATABASE ? AS shard");
    attach.bind(1, shard.file_.string());
    attach.exec();
    const auto differences = [&](const std::string& table, const std::string& where = "") {
      return integer(
          fmt::format("SELECT (SELECT count(*) FROM (SELECT * FROM shard.{0} {1} EXCEPT SELECT * FROM main.{0} {1})) + "
                      "(SELECT count(*) FROM (SELECT * FROM main.{0} {1} EXCEPT SELECT * FROM shard.{0} {1}))",
                      table, where));
    };
    const bool first = integer("SELECT count(*) FROM point") == 0;
    // Where the study's file lies is another thing on another host.
    constexpr const char* kOfStudy = "WHERE key <> 'command'";
    if (!first && (differences("meta", kOfStudy) > 0 || differences("point") > 0)) {
      throw refusal(shard.file_, "this is a shard of another study, or of another version of it: its points differ");
    }
    take_from_shard(first);
    database.exec("DETACH DATABASE shard");
  });
}

void Store::take_from_shard(bool first) {
  SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
  if (first) {
    database_.exec(
        "INSERT INTO main.meta SELECT * FROM shard.meta; INSERT INTO main.point SELECT * FROM shard.point; "
        "INSERT INTO main.point_value SELECT * FROM shard.point_value");
  }
  // A run that failed in one shard and was done in another has been done.
  database_.exec(
      "INSERT OR IGNORE INTO main.point_run SELECT * FROM shard.point_run;"
      "DELETE FROM main.run WHERE status <> 'done' AND key IN (SELECT key FROM shard.run WHERE status = 'done');"
      "INSERT OR IGNORE INTO main.scenario SELECT * FROM shard.scenario;"
      "INSERT OR IGNORE INTO main.run SELECT * FROM shard.run WHERE status <> 'running';"
      "INSERT OR IGNORE INTO main.figure SELECT * FROM shard.figure;"
      "INSERT OR IGNORE INTO main.fact SELECT * FROM shard.fact");
  transaction.commit();
}

}  // namespace experiments
