// What validate --table prints and writes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>

#include "experiments/base/json.h"
#include "experiments/base/quantity.h"
#include "experiments/base/statistic_list.h"
#include "experiments/base/terminal.h"
#include "experiments/host/table/table_comparison.h"
#include "experiments/host/table/table_text.h"

namespace experiments {

namespace {

constexpr const char* kTableSchema = "mlocksim-table/1";
constexpr const char* kUntold = "-";
constexpr int kSideWidth = 18;

std::string time_or_dash(const std::optional<double>& nanoseconds) {
  return nanoseconds ? human(std::chrono::duration<double, std::nano>(*nanoseconds)) : kUntold;
}

std::string ratio_or_dash(const std::optional<double>& ratio) {
  return ratio ? fmt::format("{:.3g}", *ratio) : kUntold;
}

std::string side_line(const std::string& side, const std::string& count, const std::string& total,
                      const std::string& mean, const std::string& longest) {
  return fmt::format("  {:<{}}{:>12} {:>10} {:>10} {:>10}\n", side, kSideWidth, count, total, mean, longest);
}

std::string side_line(const std::string& side, const LockFigures& figures) {
  return side_line(side, figures.count ? fmt::format("{:.0f}", *figures.count) : kUntold, time_or_dash(figures.total),
                   time_or_dash(figures.mean), time_or_dash(figures.longest));
}

std::string row_heading(const ComparedLockRow& row) {
  std::string text = row.holds ? "held" : "waited";
  if (!row.class_name.empty()) text += " by " + row.class_name;
  if (row.mode) text += fmt::format(", {}", to_string(*row.mode));
  if (row.call) text += fmt::format(", {}", to_string(*row.call));
  return text;
}

std::string row_text(const ComparedLockRow& row, const std::optional<double>& scale) {
  return bold(row_heading(row)) + "\n" + side_line("table", row.table) + side_line("simulated", row.simulated) +
         side_line("simulated/table", ratio_or_dash(ratio_of(row.simulated.count, row.table.count, scale)),
                   ratio_or_dash(ratio_of(row.simulated.total, row.table.total, scale)),
                   ratio_or_dash(ratio_of(row.simulated.mean, row.table.mean)),
                   ratio_or_dash(ratio_of(row.simulated.longest, row.table.longest)));
}

/// The first of many; --json has all.
std::string note_text(const std::string& note) { return wrapped("note: " + note, page_width(), 6); }

std::string end_text(const std::optional<sim::Nanoseconds>& end, const char* open) { return end ? human(*end) : open; }

std::string share_text(std::uint64_t count, std::uint64_t all) {
  const double share = all == 0 ? 0 : 100 * static_cast<double>(count) / static_cast<double>(all);
  return fmt::format("{:>12} {:>7}", count, all == 0 ? kUntold : fmt::format("{:.2f} %", share));
}

std::string verdict_of(const ComparedPercentile& percentile) {
  if (!percentile.simulated) return "";
  if (percentile.agrees()) return "there, too";
  return percentile.from && *percentile.simulated < *percentile.from ? "shorter" : "longer";
}

std::string interval_text(const ComparedPercentile& percentile) {
  return fmt::format("{} to {}", end_text(percentile.from, "..."), end_text(percentile.to, "..."));
}

Json json_or_null(const std::optional<double>& value, bool whole) {
  if (!value) return {};
  return whole ? Json(std::llround(*value)) : Json(*value);
}

Json json_end(const std::optional<sim::Nanoseconds>& end) { return end ? Json(end->count()) : Json(); }

Json json_side(const LockFigures& figures) {
  return {{"count", json_or_null(figures.count, true)},
          {"total_ns", json_or_null(figures.total, true)},
          {"mean_ns", json_or_null(figures.mean, true)},
          {"longest_ns", json_or_null(figures.longest, true)}};
}

}  // namespace

std::string to_text(const ComparedLocks& locks) {
  std::string text = side_line("", "n", "together", "mean", "longest");
  for (const ComparedLockRow& row : locks.rows) text += row_text(row, locks.scale);
  text += "\n";
  for (const std::string& note : locks.notes) text += note_text(note);
  if (!locks.scale) {
    text += note_text("the table does not tell how long it was recorded: --table-length does, for n and together");
  }
  if (!locks.left_out.empty()) {
    text += note_text(fmt::format(
        "left out, as {}: {}",
        locks.by == LockRowsBy::task ? "the scenario has no class of that name" : "not known to be mmap_lock",
        first_of(locks.left_out)));
  }
  return text;
}

std::string to_text(const ComparedHistogram& histogram) {
  const std::string last = histogram.printed > 1 ? fmt::format(", the last of {}", histogram.printed) : "";
  std::string text =
      bold(histogram.map) + last + "\n" +
      wrapped(fmt::format("in {}{}, beside {}: {}", histogram.unit, histogram.unit_by_name ? ", as its name says" : "",
                          histogram.of.text, describe(histogram.of)),
              page_width());
  text += fmt::format("  {:>10} {:>10} {:>20} {:>20}\n", "from", "to", "table", "simulated");
  for (const ComparedBucket& each : histogram.buckets) {
    text += fmt::format("  {:>10} {:>10} {} {}\n", end_text(each.from, "..."), end_text(each.to, "..."),
                        share_text(each.table, histogram.table), share_text(each.simulated, histogram.simulated));
  }
  text += fmt::format("  {:<21} {} {}\n", "all", share_text(histogram.table, histogram.table),
                      share_text(histogram.simulated, histogram.simulated));
  for (const ComparedPercentile& each : histogram.percentiles) {
    const std::string verdict = verdict_of(each);
    text += fmt::format("  {:<10} {:>31} {:>20}{}{}\n", find_statistic(each.statistic)->title, interval_text(each),
                        end_text(each.simulated, kUntold), verdict.empty() ? "" : " ", verdict);
  }
  return text;
}

std::string to_json_text(const ComparedLocks& locks) {
  Json json{{"schema", kTableSchema}, {"form", to_string(locks.form)}, {"by", to_string(locks.by)}};
  Json rows = Json::array();
  for (const ComparedLockRow& row : locks.rows) {
    Json entry{{"what", row.holds ? "hold" : "wait"}};
    if (row.mode) entry["mode"] = to_string(*row.mode);
    if (row.call) entry["call"] = to_string(*row.call);
    if (!row.class_name.empty()) entry["class"] = row.class_name;
    entry["table"] = json_side(row.table);
    entry["simulated"] = json_side(row.simulated);
    entry["ratio"] = {{"count", json_or_null(ratio_of(row.simulated.count, row.table.count, locks.scale), false)},
                      {"total", json_or_null(ratio_of(row.simulated.total, row.table.total, locks.scale), false)},
                      {"mean", json_or_null(ratio_of(row.simulated.mean, row.table.mean), false)},
                      {"longest", json_or_null(ratio_of(row.simulated.longest, row.table.longest), false)}};
    rows.push_back(std::move(entry));
  }
  json["rows"] = std::move(rows);
  json["left_out"] = locks.left_out;
  json["notes"] = locks.notes;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string to_json_text(const std::vector<ComparedHistogram>& histograms) {
  Json json{{"schema", kTableSchema}, {"form", "bpftrace"}};
  Json& maps = json["histograms"] = Json::array();
  for (const ComparedHistogram& each : histograms) {
    Json map{{"map", each.map},
             {"of", each.of.text},
             {"unit", each.unit},
             {"table", each.table},
             {"simulated", each.simulated}};
    Json& buckets = map["buckets"] = Json::array();
    for (const ComparedBucket& bucket : each.buckets) {
      buckets.push_back({{"from_ns", json_end(bucket.from)},
                         {"to_ns", json_end(bucket.to)},
                         {"table", bucket.table},
                         {"simulated", bucket.simulated}});
    }
    Json& percentiles = map["percentiles"] = Json::array();
    for (const ComparedPercentile& percentile : each.percentiles) {
      percentiles.push_back({{"statistic", percentile.statistic},
                             {"from_ns", json_end(percentile.from)},
                             {"to_ns", json_end(percentile.to)},
                             {"simulated_ns", json_end(percentile.simulated)},
                             {"agrees", percentile.agrees()}});
    }
    maps.push_back(std::move(map));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace experiments
