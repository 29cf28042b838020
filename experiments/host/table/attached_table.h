// What people attach to a report of lock contention, read from its text: who waited for locks and how long, or
// histograms of how long something took.
//
// Three tools print such tables. `perf lock contention` (Linux 5.19 on): waits of those who slept for a lock, by the
// kernel function that asked, by task (-t) or by lock (-l), for people or with separators (-x). klockstat of bcc's
// libbpf-tools: all waits for mutexes and semaphores and how long they were held, by the function that asked or by
// thread (-P); the one in Python knows mutexes only, so there is no mmap_lock in it. bpftrace: maps of hist() and
// lhist(), of whatever a script measured, without a unit.
// Which of them a text is shows in its headings. Sources: what perf 6.1 and bpftrace 0.17 print, builtin-lock.c of
// Linux 6.1 to 6.10, klockstat.c of bcc 0.26. Validated by tests/experiments/host/table/attached_table_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sim/time.h"

namespace experiments {

/// A row of a table of locks. What its columns do not tell is not there.
struct LockRow {
  std::string who;                    ///< the caller as `function+0x1f`, the task's name, or the lock's
  std::string type{};                 ///< of the lock, as perf has it: `rwsem:W`; empty: not told
  std::vector<std::string> frames{};  ///< of the stack that the row is of, the innermost first; `function+0x1f`
  std::optional<std::uint64_t> count{};
  std::optional<sim::Nanoseconds> total{};
  std::optional<sim::Nanoseconds> mean{};
  std::optional<sim::Nanoseconds> longest{};

  bool operator==(const LockRow&) const = default;
};

enum class LockTableForm { perf_contention, klockstat };

constexpr std::string_view to_string(LockTableForm form) {
  return form == LockTableForm::klockstat ? "klockstat" : "perf lock contention";
}

/// What a row of a table stands for.
enum class LockRowsBy { caller, task, lock };

constexpr std::string_view to_string(LockRowsBy by) {
  return by == LockRowsBy::caller ? "caller" : by == LockRowsBy::task ? "task" : "lock";
}

struct LockTable {
  LockTableForm form{};
  LockRowsBy by{};
  std::vector<LockRow> waits{};
  std::vector<LockRow> holds{};  ///< of klockstat
  int intervals = 1;             ///< tables one after another (klockstat -i), of which this is the last

  bool operator==(const LockTable&) const = default;
};

/// How many samples lie from one value up to, not including, another, in the unit of whoever made the map.
struct AttachedBucket {
  std::optional<std::int64_t> from;  ///< nothing: no lower end
  std::optional<std::int64_t> to;    ///< nothing: no upper end
  std::uint64_t count = 0;

  bool operator==(const AttachedBucket&) const = default;
};

/// One map of bpftrace, under one key.
struct AttachedHistogram {
  std::string name;                       ///< `@usecs[postgres]`
  std::vector<AttachedBucket> buckets{};  ///< each begins where the one before it ends; at least one
  int printed = 1;                        ///< times one after another, of which this is the last

  /// How many samples there are. At most 2^63 (the parser refuses more).
  [[nodiscard]] std::uint64_t count() const;
  bool operator==(const AttachedHistogram&) const = default;
};

using AttachedTable = std::variant<LockTable, std::vector<AttachedHistogram>>;

/// `source`: what the text is called in messages. Throws InputError for a text that is none of these, and for one that
/// ends or is broken in the middle, with the line and what was expected there.
[[nodiscard]] AttachedTable parse_attached_table(std::string_view text, const std::string& source);

/// From a file, packed or not, or - for standard input. Throws UsageError where it cannot be read, and InputError.
[[nodiscard]] AttachedTable read_attached_table(const std::string& path);

}  // namespace experiments
