#include "experiments/study/store.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>

#include "experiments/base/diagnostics.h"
#include "experiments/base/shell.h"

namespace experiments {

namespace {

constexpr int kSchemaVersion = 2;
constexpr int kWithoutDistributions = 1;
constexpr std::int64_t kSilentSeconds = 300;

constexpr const char* kSchema = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE point(number INTEGER PRIMARY KEY, labels TEXT NOT NULL);
CREATE TABLE point_value(point INTEGER NOT NULL, axis TEXT NOT NULL, value TEXT, PRIMARY KEY(point, axis)) WITHOUT ROWID;
CREATE TABLE point_run(point INTEGER NOT NULL, policy_order INTEGER NOT NULL, policy TEXT NOT NULL,
  replication INTEGER NOT NULL, run TEXT NOT NULL, PRIMARY KEY(point, policy_order, replication)) WITHOUT ROWID;
CREATE INDEX point_run_of_run ON point_run(run);
CREATE TABLE run(key TEXT PRIMARY KEY, scenario TEXT NOT NULL, policy TEXT NOT NULL, seed INTEGER NOT NULL,
  status TEXT NOT NULL CHECK(status IN ('running', 'done', 'failed')), reason TEXT, command TEXT NOT NULL, result TEXT,
  wall_ns INTEGER, owner INTEGER, finished_at TEXT);
CREATE TABLE figure(run TEXT NOT NULL, class TEXT NOT NULL, phase TEXT NOT NULL, count INTEGER NOT NULL,
  mean_ns INTEGER, p50_ns INTEGER, p90_ns INTEGER, p99_ns INTEGER, p999_ns INTEGER, p9999_ns INTEGER, max_ns INTEGER,
  blame TEXT, PRIMARY KEY(run, class, phase)) WITHOUT ROWID;
CREATE TABLE owner(id INTEGER PRIMARY KEY, host TEXT NOT NULL, boot TEXT NOT NULL, pid INTEGER NOT NULL,
  started TEXT NOT NULL, seen_at INTEGER NOT NULL);
CREATE VIEW latency AS SELECT point_run.point, point_run.policy, point_run.replication, figure.*
  FROM point_run JOIN figure ON figure.run = point_run.run;
)";

// What version 2 adds.
constexpr const char* kDistributions = R"(
CREATE TABLE distribution(run TEXT NOT NULL, class TEXT NOT NULL, phase TEXT NOT NULL, histogram TEXT NOT NULL,
  PRIMARY KEY(run, class, phase)) WITHOUT ROWID;
PRAGMA user_version=2;
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

std::optional<std::int64_t> figure_of(const Json& latencies, const char* key) {
  const auto found = latencies.find(key);
  if (found == latencies.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<std::int64_t>();
}

void insert_figure(Statement& insert, const std::string& run, const std::string& name, const std::string& phase,
                   const Json& latencies) {
  insert.bind(1, run).bind(2, name).bind(3, phase).bind(4, figure_of(latencies, "count").value_or(0));
  int parameter = 5;
  for (const char* const key : {"mean_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns"}) {
    insert.bind(parameter++, figure_of(latencies, key));
  }
  insert.bind(parameter, latencies.contains("blame") ? latencies["blame"].dump() : "{}");
  insert.run();
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

/// Opens the file, or tells the user why not, as bad input: nothing has been done yet.
Database open_database(const std::filesystem::path& file, Store::Mode mode) {
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
    Database database(file, writes ? Database::Mode::create : Database::Mode::read);
    if (writes) database.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    const std::int64_t version = database.integer("PRAGMA user_version");
    const bool empty = database.integer("SELECT count(*) FROM sqlite_master") == 0;
    if (writes && empty) {
      Transaction transaction(database);
      database.run(kSchema);
      database.run(kDistributions);
      transaction.commit();
    } else if (writes && version == kWithoutDistributions) {
      Transaction transaction(database);
      // Another sweep may have been faster.
      if (database.integer("PRAGMA user_version") == version) database.run(kDistributions);
      transaction.commit();
    } else if (version != kSchemaVersion && version != kWithoutDistributions) {
      throw refusal(file, fmt::format("expected a study of schema version {}, found {}", kSchemaVersion, version));
    }
    // Damage is found now, not in the middle of a sweep.
    const std::string health = database.text("PRAGMA quick_check(1)");
    if (health != "ok") {
      throw refusal(file, fmt::format("the file is damaged ({}). Keep a copy and move it away; `sqlite3 FILE .recover` "
                                      "may save what is in it, and without it a sweep starts anew",
                                      health));
    }
    return database;
  } catch (const DatabaseError& failure) {
    throw InputError({{"", 0, 0, "", failure.what()}});
  }
}

void insert_runs(Database& database, const std::vector<PointRun>& runs) {
  Statement insert(database,
                   "INSERT OR REPLACE INTO point_run(point, policy_order, policy, replication, run) "
                   "VALUES (?, ?, ?, ?, ?)");
  for (const PointRun& run : runs) {
    insert.bind(1, static_cast<std::int64_t>(run.point)).bind(2, static_cast<std::int64_t>(run.policy_order));
    insert.bind(3, run.policy).bind(4, static_cast<std::int64_t>(run.replication)).bind(5, run.run).run();
  }
}

}  // namespace

Store::Store(const std::filesystem::path& folder, Mode mode)
    : file_(folder / "study.sqlite"), database_(open_database(file_, mode)) {}

void Store::write_plan(const StudyPlan& plan, const std::vector<PointRun>& runs) {
  Transaction transaction(database_);
  database_.run("DELETE FROM meta; DELETE FROM point; DELETE FROM point_value; DELETE FROM point_run");
  Statement meta(database_, "INSERT INTO meta(key, value) VALUES (?, ?)");
  for (const auto& [key, value] : meta_of(plan)) meta.bind(1, key).bind(2, value).run();
  Statement insert(database_, "INSERT INTO point(number, labels) VALUES (?, ?)");
  Statement value(database_, "INSERT INTO point_value(point, axis, value) VALUES (?, ?, ?)");
  for (const StudyPoint& point : plan.points()) {
    const auto number = static_cast<std::int64_t>(point.number);
    insert.bind(1, number).bind(2, labels_of(point)).run();
    for (std::size_t axis = 0; axis < point.labels.size(); ++axis) {
      if (!point.labels[axis]) continue;
      value.bind(1, number).bind(2, plan.axes()[axis]).bind(3, *point.labels[axis]).run();
    }
  }
  insert_runs(database_, runs);
  transaction.commit();
}

void Store::add_runs(const std::vector<PointRun>& runs) {
  if (runs.empty()) return;
  Transaction transaction(database_);
  insert_runs(database_, runs);
  transaction.commit();
}

void Store::register_owner() {
  if (owner_ != 0) return;
  Statement insert(database_, "INSERT INTO owner(host, boot, pid, started, seen_at) VALUES (?, ?, ?, ?, ?)");
  insert.bind(1, host_name()).bind(2, boot_id()).bind(3, static_cast<std::int64_t>(getpid()));
  insert.bind(4, start_of(getpid())).bind(5, now_seconds()).run();
  owner_ = sqlite3_last_insert_rowid(database_.handle());
}

bool Store::is_alive(std::int64_t owner) {
  Statement find(database_, "SELECT host, boot, pid, started, seen_at FROM owner WHERE id = ?");
  find.bind(1, owner);
  if (!find.step()) return false;
  if (find.text(0) != host_name()) return now_seconds() - find.integer(4) < kSilentSeconds;
  return find.text(1) == boot_id() && !find.text(3).empty() && start_of(find.integer(2)) == find.text(3);
}

Claim Store::claim(const StoredRun& run) {
  Statement find(database_, "SELECT status, owner FROM run WHERE key = ?");
  find.bind(1, run.key);
  if (find.step()) {
    if (find.text(0) != "running") return Claim::finished;
    if (find.integer(1) != owner_ && is_alive(find.integer(1))) return Claim::elsewhere;
  }
  Statement insert(database_,
                   "INSERT OR REPLACE INTO run(key, scenario, policy, seed, status, command, owner) "
                   "VALUES (?, ?, ?, ?, 'running', ?, ?)");
  insert.bind(1, run.key).bind(2, run.scenario).bind(3, run.policy).bind(4, static_cast<std::int64_t>(run.seed));
  insert.bind(5, run.command).bind(6, owner_).run();
  return Claim::granted;
}

void Store::finish(const RunEnd& end) {
  const auto* const failure = std::get_if<Failure>(&end.outcome);
  Statement update(database_,
                   "UPDATE run SET status = ?, reason = ?, result = ?, wall_ns = ?, finished_at = datetime('now') "
                   "WHERE key = ? AND status = 'running' AND owner = ?");
  update.bind(1, failure == nullptr ? "done" : "failed");
  if (failure != nullptr) update.bind(2, failure->reason);
  if (failure == nullptr) update.bind(3, std::get<std::string>(end.outcome));
  update.bind(4, end.wall.count()).bind(5, end.key).bind(6, owner_).run();
  if (failure != nullptr) return;
  Statement forget(database_, "DELETE FROM figure WHERE run = ?");
  forget.bind(1, end.key).run();
  Statement insert(database_, "INSERT INTO figure VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  const Json result = Json::parse(std::get<std::string>(end.outcome));
  for (const auto& [name, figures] : result["classes"].items()) {
    insert_figure(insert, end.key, name, "total", figures["total"]);
    for (const auto& [phase, latencies] : figures["during"].items()) {
      insert_figure(insert, end.key, name, phase, latencies);
    }
  }
  insert_distributions(end);
}

void Store::insert_distributions(const RunEnd& end) {
  if (end.distributions.empty()) return;
  Statement insert(database_, "INSERT OR REPLACE INTO distribution VALUES (?, ?, ?, ?)");
  const Json all = Json::parse(end.distributions);
  for (const auto& [name, calls] : all.items()) {
    for (const auto& [call, histogram] : calls.items()) {
      insert.bind(1, end.key).bind(2, name).bind(3, call).bind(4, histogram.dump()).run();
    }
  }
}

bool Store::has_distributions() { return database_.integer("PRAGMA user_version") >= kSchemaVersion; }

std::vector<Claim> Store::advance(const std::vector<RunEnd>& ended, const std::vector<StoredRun>& wanted,
                                  std::size_t most) {
  std::vector<Claim> claims;
  Transaction transaction(database_);
  register_owner();
  for (const RunEnd& end : ended) finish(end);
  std::size_t granted = 0;
  for (const StoredRun& run : wanted) {
    if (granted == most) break;
    claims.push_back(claim(run));
    if (claims.back() == Claim::granted) ++granted;
  }
  Statement seen(database_, "UPDATE owner SET seen_at = ? WHERE id = ?");
  seen.bind(1, now_seconds()).bind(2, owner_).run();
  transaction.commit();
  return claims;
}

void Store::forget_failed(const std::vector<std::string>& keys) {
  Transaction transaction(database_);
  Statement forget(database_, "DELETE FROM run WHERE key = ? AND status = 'failed'");
  for (const std::string& key : keys) forget.bind(1, key).run();
  transaction.commit();
}

void Store::merge(const std::filesystem::path& folder) {
  Store shard(folder, Mode::read);
  const bool with_distributions = shard.has_distributions();
  Statement attach(database_, "ATTACH DATABASE ? AS shard");
  attach.bind(1, shard.file_.string()).run();
  const bool first = database_.integer("SELECT count(*) FROM point") == 0;
  const auto differences = [&](const std::string& table, const std::string& where = "") {
    return database_.integer(
        fmt::format("SELECT (SELECT count(*) FROM (SELECT * FROM shard.{0} {1} EXCEPT SELECT * FROM main.{0} {1})) + "
                    "(SELECT count(*) FROM (SELECT * FROM main.{0} {1} EXCEPT SELECT * FROM shard.{0} {1}))",
                    table, where));
  };
  // Where the study's file lies is another thing on another host.
  constexpr const char* kOfStudy = "WHERE key <> 'command'";
  if (!first && (differences("meta", kOfStudy) > 0 || differences("point") > 0)) {
    throw refusal(shard.file_, "this is a shard of another study, or of another version of it: its points differ");
  }
  Transaction transaction(database_);
  if (first) {
    database_.run(
        "INSERT INTO main.meta SELECT * FROM shard.meta; INSERT INTO main.point SELECT * FROM shard.point; "
        "INSERT INTO main.point_value SELECT * FROM shard.point_value");
  }
  // A run that failed in one shard and was done in another has been done.
  database_.run(
      "INSERT OR IGNORE INTO main.point_run SELECT * FROM shard.point_run;"
      "DELETE FROM main.run WHERE status <> 'done' AND key IN (SELECT key FROM shard.run WHERE status = 'done');"
      "INSERT OR IGNORE INTO main.run SELECT * FROM shard.run WHERE status <> 'running';"
      "INSERT OR IGNORE INTO main.figure SELECT * FROM shard.figure");
  if (with_distributions) {
    database_.run("INSERT OR IGNORE INTO main.distribution SELECT * FROM shard.distribution");
  }
  transaction.commit();
  database_.run("DETACH DATABASE shard");
}

}  // namespace experiments
