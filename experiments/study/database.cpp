#include "experiments/study/database.h"

#include <unistd.h>

#include <fmt/format.h>

namespace experiments {

namespace {

constexpr int kPatienceMilliseconds = 30'000;

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

int flags_of(Database::Mode mode) {
  switch (mode) {
    case Database::Mode::read:
      return SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    case Database::Mode::write:
      return SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI;
    case Database::Mode::create:
      break;
  }
  return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;
}

/// The file as a URI. One in a folder that cannot be written is read as one that does not change: the files that a
/// shared log needs cannot be made there.
std::string uri_of(const std::filesystem::path& file, Database::Mode mode) {
  std::string path;
  for (const char c : std::filesystem::absolute(file).string()) {
    const bool special = c == '%' || c == '?' || c == '#';
    path += special ? fmt::format("%{:02x}", c) : std::string(1, c);
  }
  const bool frozen = mode == Database::Mode::read && access(file.parent_path().c_str(), W_OK) != 0 &&
                      !std::filesystem::exists(file.string() + "-wal");
  return fmt::format("file:{}{}", path, frozen ? "?immutable=1" : "");
}

}  // namespace

Statement::Statement(Database& database, std::string_view sql) : database_(&database) {
  sqlite3_stmt* statement = nullptr;
  database.check(sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr));
  statement_.reset(statement);
}

void Statement::check(int code) const { database_->check(code); }

Statement& Statement::bind(int parameter, std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  check(sqlite3_bind_text(statement_.get(), parameter, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind(int parameter, const std::optional<std::int64_t>& value) {
  if (value) return bind(parameter, *value);
  check(sqlite3_bind_null(statement_.get(), parameter));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    check(code);
  }
  reset();
  return false;
}

void Statement::run() {
  while (step()) {
  }
}

void Statement::reset() { (void)sqlite3_reset(statement_.get()); }

bool Statement::is_null(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::optional<std::int64_t> Statement::optional_integer(int column) const {
  return is_null(column) ? std::nullopt : std::optional(integer(column));
}

std::string Statement::text(int column) const {
  const unsigned char* const text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

int Statement::columns() const { return sqlite3_column_count(statement_.get()); }

std::string Statement::column_name(int column) const { return sqlite3_column_name(statement_.get(), column); }

Database::Database(const std::filesystem::path& file, Mode mode) : file_(file) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(uri_of(file, mode).c_str(), &handle, flags_of(mode), nullptr);
  handle_.reset(handle);
  check(code);
  check(sqlite3_extended_result_codes(handle, 1));
  check(sqlite3_busy_timeout(handle, kPatienceMilliseconds));
}

void Database::check(int code) const {
  if (code == SQLITE_OK) return;
  const std::string_view meaning = meaning_of(code);
  const char* const words = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  throw DatabaseError(fmt::format("{}: {}{}{}", file_.string(), meaning, meaning.empty() ? "" : " - ", words));
}

void Database::run(const std::string& sql) {
  check(sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr));
}

std::int64_t Database::integer(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::string Database::text(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.text(0) : std::string();
}

Transaction::Transaction(Database& database) : database_(database) { database_.run("BEGIN IMMEDIATE"); }

Transaction::~Transaction() {
  if (!open_) return;
  // Some failures have rolled back already; then there is nothing to do.
  (void)sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  database_.run("COMMIT");
  open_ = false;
}

}  // namespace experiments
