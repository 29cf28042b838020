#include "experiments/host/table/table_comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

#include "experiments/base/diagnostics.h"
#include "experiments/base/statistic_list.h"
#include "experiments/host/table/mmap_lock_caller.h"
#include "experiments/host/table/table_text.h"
#include "experiments/run/result_json.h"
#include "sim/histogram.h"

namespace experiments {

namespace {

using models::LockMode;
using models::Phase;
using LockRows = std::vector<ComparedLockRow>;

// --- the table's side ---------------------------------------------------------------------------------------------

std::optional<double> as_double(const std::optional<sim::Nanoseconds>& time) {
  return time ? std::optional(static_cast<double>(time->count())) : std::nullopt;
}

/// What a row says, and what follows from it.
LockFigures figures_of(const LockRow& row) {
  LockFigures figures{row.count ? std::optional(static_cast<double>(*row.count)) : std::nullopt, as_double(row.total),
                      as_double(row.mean), as_double(row.longest)};
  if (!figures.total && figures.count && figures.mean) figures.total = *figures.count * *figures.mean;
  return figures;
}

/// Sums where both are told; what one row does not tell is not known of both.
void add_figures(LockFigures& to, const LockFigures& more, bool first) {
  if (first) {
    to = more;
  } else {
    to.count = to.count && more.count ? std::optional(*to.count + *more.count) : std::nullopt;
    to.total = to.total && more.total ? std::optional(*to.total + *more.total) : std::nullopt;
    to.longest = to.longest && more.longest ? std::optional(std::max(*to.longest, *more.longest)) : std::nullopt;
    to.mean = std::nullopt;
  }
  if (to.count && to.total && *to.count > 0) to.mean = *to.total / *to.count;
}

bool is_same_row(const ComparedLockRow& a, const ComparedLockRow& b) {
  return a.holds == b.holds && a.mode == b.mode && a.call == b.call && a.class_name == b.class_name;
}

void add_to_row(LockRows& rows, const ComparedLockRow& key, const LockFigures& figures) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const ComparedLockRow& each) { return is_same_row(each, key); });
  const bool first = found == rows.end();
  add_figures((first ? rows.emplace_back(key) : *found).table, figures, first);
}

std::string in_brief(const LockRow& row) {
  return fmt::format("{}{}{}{}", row.who.empty() ? "(no name)" : row.who, row.type.empty() ? "" : " ", row.type,
                     row.count ? fmt::format(" {} times", *row.count) : "");
}

/// Brings the rows of one table, waits or holds, to modes, calls and classes.
class RowSorter {
 public:
  RowSorter(const LockTable& table, ComparedLocks& compared, std::vector<std::string> classes)
      : by_(table.by), compared_(compared), classes_(std::move(classes)) {}

  void add(const std::vector<LockRow>& rows, bool holds) {
    if (by_ == LockRowsBy::task) return add_tasks(rows, holds);
    for (const LockRow& row : rows) {
      if (by_ == LockRowsBy::caller) {
        add_caller(row, holds);
      } else {
        add_lock(row, holds);
      }
    }
  }

  /// Calls that ask in a mode that the table does not tell: the totals by mode are without them.
  [[nodiscard]] const std::set<Phase>& in_either_mode() const { return in_either_mode_; }
  [[nodiscard]] const std::vector<std::string>& untold() const { return untold_; }

 private:
  void add_caller(const LockRow& row, bool holds) {
    if (!may_be_mmap_lock(row.type)) return;
    const MmapLockCaller caller = mmap_lock_caller(row);
    const bool by_type = mode_of_type(row.type).has_value();
    if (caller.lock == MmapLockCaller::Lock::another || (caller.lock == MmapLockCaller::Lock::untold && !by_type)) {
      compared_.left_out.push_back(in_brief(row));
      return;
    }
    const auto mode = by_type ? mode_of_type(row.type) : caller.mode;
    if (mode) add_to_row(compared_.rows, {holds, mode}, figures_of(row));
    if (caller.lock == MmapLockCaller::Lock::untold) {
      untold_.push_back(in_brief(row));
      return;
    }
    if (!mode) in_either_mode_.insert(caller.call);
    add_to_row(compared_.rows, {holds, mode, caller.call}, figures_of(row));
  }

  void add_lock(const LockRow& row, bool holds) {
    if (row.who != "mmap_lock" && row.who != "mmap_sem") {
      if (may_be_mmap_lock(row.type)) compared_.left_out.push_back(in_brief(row));
      return;
    }
    add_to_row(compared_.rows, {holds}, figures_of(row));
  }

  void add_tasks(const std::vector<LockRow>& rows, bool holds) {
    const auto is_class = [&](const LockRow& row) {
      return std::find(classes_.begin(), classes_.end(), row.who) != classes_.end();
    };
    const bool any_class = std::any_of(rows.begin(), rows.end(), is_class);
    for (const LockRow& row : rows) {
      if (any_class && !is_class(row)) {
        compared_.left_out.push_back(in_brief(row));
        continue;
      }
      ComparedLockRow of_class{holds};
      of_class.class_name = any_class ? row.who : "";
      add_to_row(compared_.rows, of_class, figures_of(row));
    }
  }

  LockRowsBy by_;
  ComparedLocks& compared_;
  std::vector<std::string> classes_;
  std::set<Phase> in_either_mode_{};
  std::vector<std::string> untold_{};
};

// --- the simulation's side ----------------------------------------------------------------------------------------

/// Sums over all mmap_locks of all runs.
class SimulatedLocks {
 public:
  SimulatedLocks(LockTableForm form, const std::vector<models::Result>& results, const std::set<Phase>& in_either_mode)
      : form_(form), results_(results), in_either_mode_(in_either_mode) {}

  [[nodiscard]] LockFigures figures(const ComparedLockRow& row) const { return row.holds ? holds(row) : waits(row); }

  /// What is asked for, or held, by call: keys without figures, the table's rows among them.
  [[nodiscard]] LockRows keys_by_call(bool of_holds) const {
    LockRows keys;
    const auto add = [&](Phase phase, LockMode mode) {
      ComparedLockRow key{of_holds, mode, call_of(phase)};
      if (in_either_mode_.contains(*key.call)) key.mode = std::nullopt;
      if (std::none_of(keys.begin(), keys.end(), [&](const auto& each) { return is_same_row(each, key); })) {
        keys.push_back(key);
      }
    };
    for_each_lock([&](const models::RwsemStatistics& statistics, const models::Result&) {
      if (of_holds) {
        for (const auto& [held, lengths] : statistics.hold) add(held.call, held.mode);
        return;
      }
      for (const auto& [asker, waits] : statistics.asked) {
        if (form_ == LockTableForm::klockstat || waits.contended() > 0) add(asker.phase, asker.mode);
      }
    });
    return keys;
  }

  [[nodiscard]] std::uint64_t spun() const {
    std::uint64_t count = 0;
    for_each_lock([&](const models::RwsemStatistics& statistics, const models::Result&) { count += statistics.spins; });
    return count;
  }

 private:
  void for_each_lock(const std::function<void(const models::RwsemStatistics&, const models::Result&)>& each) const {
    for (const models::Result& result : results_) {
      for (const models::LockResult& lock : result.locks) {
        if (lock.mutex.empty()) each(lock.statistics, result);
      }
    }
  }

  [[nodiscard]] bool is_of(const ComparedLockRow& row, Phase phase, LockMode mode) const {
    if (row.mode && *row.mode != mode) return false;
    if (row.call) return *row.call == call_of(phase);
    return !row.mode || !in_either_mode_.contains(call_of(phase));
  }

  [[nodiscard]] LockFigures waits(const ComparedLockRow& row) const {
    models::RwsemStatistics::Waits all;
    for_each_lock([&](const models::RwsemStatistics& statistics, const models::Result& result) {
      const std::vector<std::string> classes = result.class_names();
      for (const auto& [asker, waits] : statistics.asked) {
        if (!is_of(row, asker.phase, asker.mode)) continue;
        if (row.class_name.empty() || class_name(asker.asker, classes) == row.class_name) all.add(waits);
      }
    });
    const std::uint64_t count = form_ == LockTableForm::klockstat ? all.acquisitions : all.contended();
    return figures_from(count, all.wait, all.longest());
  }

  [[nodiscard]] LockFigures holds(const ComparedLockRow& row) const {
    sim::Histogram all;
    for_each_lock([&](const models::RwsemStatistics& statistics, const models::Result& result) {
      const std::vector<std::string> classes = result.class_names();
      for (const auto& [held, lengths] : statistics.hold) {
        if (!is_of(row, held.call, held.mode)) continue;
        if (row.class_name.empty() || class_name(held.holder, classes) == row.class_name) all.merge(lengths);
      }
    });
    return figures_from(all.count(), all, all.empty() ? sim::Nanoseconds{0} : all.max());
  }

  static LockFigures figures_from(std::uint64_t count, const sim::Histogram& times, sim::Nanoseconds longest) {
    if (count == 0) return {0, 0, std::nullopt, std::nullopt};
    const double total = times.empty() ? 0 : times.mean() * static_cast<double>(times.count());
    return {static_cast<double>(count), total, total / static_cast<double>(count),
            static_cast<double>(longest.count())};
  }

  LockTableForm form_;
  const std::vector<models::Result>& results_;
  const std::set<Phase>& in_either_mode_;
};

/// By mode first, then by call: the longest together in the table first.
void put_rows_in_order(LockRows& rows) {
  const auto rank = [](const ComparedLockRow& row) {
    const int mode = !row.mode ? 2 : *row.mode == LockMode::write ? 0 : 1;
    return std::tuple(row.holds, row.call.has_value() || !row.class_name.empty(), row.call ? 0 : mode,
                      -row.table.total.value_or(-1), -row.simulated.total.value_or(0));
  };
  std::stable_sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

std::vector<std::string> notes_of(const LockTable& table, const RowSorter& sorter, const SimulatedLocks& simulated) {
  std::vector<std::string> notes;
  if (table.intervals > 1) notes.push_back(fmt::format("the last of {} tables", table.intervals));
  if (table.by == LockRowsBy::task) {
    notes.push_back("a table by task tells nothing of locks: its figures are of all locks, not of mmap_lock only");
  }
  if (!sorter.untold().empty()) {
    notes.push_back(fmt::format("in the totals only, as the caller tells no call (--stack-skip 2 or -v does): {}",
                                first_of(sorter.untold())));
  }
  if (!sorter.in_either_mode().empty()) {
    std::vector<std::string_view> names;
    for (const Phase call : sorter.in_either_mode()) names.push_back(to_string(call));
    notes.push_back(
        fmt::format("{}: asks in either mode, and the totals by mode are without it", fmt::join(names, ", ")));
  }
  if (table.form == LockTableForm::perf_contention && simulated.spun() > 0) {
    notes.push_back(
        fmt::format("perf does not see who gets the lock by spinning: {} of the simulated waits", simulated.spun()));
  }
  return notes;
}

// --- histograms ---------------------------------------------------------------------------------------------------

const AttachedHistogram& map_named(const std::vector<AttachedHistogram>& histograms, const std::string& name) {
  const auto found = std::find_if(histograms.begin(), histograms.end(),
                                  [&](const AttachedHistogram& each) { return each.name == name; });
  if (found != histograms.end()) return *found;
  std::vector<std::string> names;
  for (const AttachedHistogram& each : histograms) names.push_back(each.name);
  const std::string meant = did_you_mean(name, names);
  throw UsageError(fmt::format("--table-of: there is no histogram '{}'{}", name,
                               meant.empty() ? fmt::format(": expected one of {}", fmt::join(names, ", ")) : meant));
}

constexpr const char* kTableOfExpected = "wait.write, contended.read, hold or a class such as faulter.munlock";

const TimeUnit* unit_named(std::string_view name) {
  const auto* const found =
      std::find_if(kTimeUnits.begin(), kTimeUnits.end(), [&](const TimeUnit& each) { return each.name == name; });
  return found == kTimeUnits.end() ? nullptr : found;
}

sim::Nanoseconds in_nanoseconds(std::int64_t value, const TimeUnit& unit) {
  const double time = static_cast<double>(value) * unit.nanoseconds;
  const auto most = static_cast<double>(sim::Histogram::kLargest.count());
  return sim::Nanoseconds{static_cast<std::int64_t>(std::clamp(time, -most, most))};
}

/// The table's buckets as times, with one below and one above them.
std::vector<ComparedBucket> buckets_of(const AttachedHistogram& histogram, const TimeUnit& unit) {
  std::vector<ComparedBucket> buckets;
  const auto time = [&](const std::optional<std::int64_t>& end) {
    return end ? std::optional(in_nanoseconds(*end, unit)) : std::nullopt;
  };
  if (const auto first = time(histogram.buckets.front().from)) buckets.push_back({std::nullopt, first});
  for (const AttachedBucket& each : histogram.buckets) buckets.push_back({time(each.from), time(each.to), each.count});
  if (const auto last = time(histogram.buckets.back().to)) buckets.push_back({last, std::nullopt});
  return buckets;
}

void count_simulated(std::vector<ComparedBucket>& buckets, const sim::Histogram& simulated) {
  for (const sim::Histogram::Bucket& each : simulated.buckets()) {
    const auto bucket = std::find_if(buckets.begin(), buckets.end(),
                                     [&](const ComparedBucket& one) { return !one.to || each.lowest < *one.to; });
    if (bucket != buckets.end()) bucket->simulated += each.count;
  }
}

std::optional<ComparedPercentile> percentile_of(const std::vector<ComparedBucket>& buckets, std::uint64_t count,
                                                const NamedStatistic& statistic, const sim::Histogram& simulated) {
  const bool is_max = statistic.name == "max";
  if (count == 0 || (!is_max && count < sim::Histogram::samples_needed(statistic.quantile))) return std::nullopt;
  const double quantile = is_max ? 1 : statistic.quantile;
  const auto rank = std::clamp(static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(count) - 1e-6)),
                               std::uint64_t{1}, count);
  std::uint64_t below = 0;
  for (const ComparedBucket& each : buckets) {
    below += each.table;
    if (below < rank) continue;
    const auto value = simulated.empty() ? std::nullopt : statistic.read(simulated);
    return ComparedPercentile{std::string(statistic.name), each.from, each.to,
                              value ? std::optional(sim::Nanoseconds{*value}) : std::nullopt};
  }
  return std::nullopt;
}

}  // namespace

bool ComparedPercentile::agrees() const {
  return simulated && (!from || *simulated >= *from) && (!to || *simulated < *to);
}

std::optional<double> ratio_of(const std::optional<double>& simulated, const std::optional<double>& table,
                               const std::optional<double>& scale) {
  if (!simulated || !table || !scale || *table <= 0) return std::nullopt;
  return *simulated * *scale / *table;
}

const TimeUnit* unit_in_name(std::string_view map) {
  struct Spelling {
    std::string_view word;
    std::string_view unit;
  };
  constexpr auto kSpellings = std::to_array<Spelling>({{"ns", "ns"},
                                                       {"nsec", "ns"},
                                                       {"nsecs", "ns"},
                                                       {"us", "us"},
                                                       {"usec", "us"},
                                                       {"usecs", "us"},
                                                       {"ms", "ms"},
                                                       {"msec", "ms"},
                                                       {"msecs", "ms"},
                                                       {"secs", "s"},
                                                       {"seconds", "s"}});
  std::string_view name = map.substr(0, map.find('['));
  if (name.starts_with('@')) name.remove_prefix(1);
  const std::string_view word = name.substr(name.rfind('_') + 1);
  const auto* const found =
      std::find_if(kSpellings.begin(), kSpellings.end(), [&](const Spelling& each) { return each.word == word; });
  return found == kSpellings.end() ? nullptr : unit_named(found->unit);
}

std::vector<HistogramChoice> choose_histograms(const std::vector<AttachedHistogram>& histograms,
                                               const TableOptions& options, const models::Scenario& scenario) {
  std::vector<std::string> names;
  for (const AttachedHistogram& each : histograms) names.push_back(each.name);
  if (options.of.empty()) {
    throw UsageError(fmt::format(
        "--table-of: expected what {} to be set beside: {}{}",
        names.size() == 1 ? names.front() + " is" : "a histogram is", kTableOfExpected,
        names.size() == 1 ? "" : fmt::format(", as {}=WHAT; there are {}", names.front(), fmt::join(names, ", "))));
  }
  const TimeUnit* const said = options.unit ? unit_named(*options.unit) : nullptr;
  if (options.unit && said == nullptr) {
    throw UsageError(fmt::format("--table-unit: expected ns, us, ms or s, found '{}'", *options.unit));
  }
  std::vector<HistogramChoice> choices;
  for (const std::string& text : options.of) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos && names.size() > 1) {
      throw UsageError(fmt::format("--table-of: expected MAP={}, as there are {}", text, fmt::join(names, ", ")));
    }
    const AttachedHistogram& histogram =
        equals == std::string::npos ? histograms.front() : map_named(histograms, text.substr(0, equals));
    auto of = parse_simulated_quantity(equals == std::string::npos ? text : text.substr(equals + 1), scenario);
    if (!of) throw UsageError("--table-of: " + of.message());
    const TimeUnit* const named = unit_in_name(histogram.name);
    const TimeUnit* const unit = named != nullptr ? named : said;
    if (unit == nullptr) {
      throw UsageError(
          fmt::format("--table-unit: expected ns, us, ms or s: a histogram has no unit, and the name {} "
                      "does not tell it",
                      histogram.name));
    }
    choices.push_back({&histogram, *of, unit, named != nullptr});
  }
  return choices;
}

ComparedLocks compare_locks(const LockTable& table, const std::string& source,
                            const std::optional<sim::Nanoseconds>& length, const std::vector<models::Result>& results) {
  ComparedLocks compared{table.form, table.by};
  RowSorter sorter(table, compared, results.empty() ? std::vector<std::string>{} : results.front().class_names());
  sorter.add(table.waits, false);
  sorter.add(table.holds, true);
  if (compared.rows.empty()) {
    throw InputError({{source, 0, 0, "",
                       fmt::format("expected waits for mmap_lock, by a caller such as vm_mmap_pgoff or by the lock's "
                                   "name, found none in {} rows",
                                   table.waits.size() + table.holds.size())}});
  }
  for (const ComparedLockRow& row : compared.rows) {
    constexpr double kMost = 9e18;  // whole numbers of 64 bits go a little further
    if (row.table.count.value_or(0) > kMost || row.table.total.value_or(0) > kMost) {
      throw InputError({{source, 0, 0, "", "expected counts and times that together stay below 2^63"}});
    }
  }
  const SimulatedLocks simulated(table.form, results, sorter.in_either_mode());
  if (table.by == LockRowsBy::caller) {
    for (const bool holds : {false, true}) {
      if ((holds ? table.holds : table.waits).empty()) continue;
      for (const ComparedLockRow& key : simulated.keys_by_call(holds)) {
        const auto same = [&](const ComparedLockRow& each) { return is_same_row(each, key); };
        if (std::none_of(compared.rows.begin(), compared.rows.end(), same)) compared.rows.push_back(key);
      }
    }
  }
  double simulated_length = 0;
  for (const models::Result& result : results) simulated_length += static_cast<double>(result.sim_time.count());
  if (length && simulated_length > 0) compared.scale = static_cast<double>(length->count()) / simulated_length;
  for (ComparedLockRow& row : compared.rows) row.simulated = simulated.figures(row);
  put_rows_in_order(compared.rows);
  compared.notes = notes_of(table, sorter, simulated);
  return compared;
}

ComparedHistogram compare_histogram(const HistogramChoice& choice, const std::vector<models::Result>& results) {
  const sim::Histogram simulated = simulated_histogram(choice.of, results);
  ComparedHistogram compared{choice.histogram->name, choice.of, choice.unit->name, choice.unit_by_name};
  compared.buckets = buckets_of(*choice.histogram, *choice.unit);
  compared.table = choice.histogram->count();
  compared.printed = choice.histogram->printed;
  compared.simulated = simulated.count();
  count_simulated(compared.buckets, simulated);
  for (const std::string_view name : {"p50", "p90", "p99", "p999", "max"}) {
    auto percentile = percentile_of(compared.buckets, compared.table, *find_statistic(name), simulated);
    if (percentile) compared.percentiles.push_back(*std::move(percentile));
  }
  const auto is_empty = [](const ComparedBucket& each) { return each.table == 0 && each.simulated == 0; };
  if (is_empty(compared.buckets.front())) compared.buckets.erase(compared.buckets.begin());
  if (!compared.buckets.empty() && is_empty(compared.buckets.back())) compared.buckets.pop_back();
  return compared;
}

}  // namespace experiments
