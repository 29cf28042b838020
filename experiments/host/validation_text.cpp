// What validate prints and writes.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/base/json.h"
#include "experiments/base/quantity.h"
#include "experiments/base/statistic_list.h"
#include "experiments/base/terminal.h"
#include "experiments/host/validation.h"
#include "experiments/run/coarse_histogram.h"

namespace experiments {

namespace {

constexpr int kLabel = 15;
constexpr int kColumn = 9;
constexpr int kCount = 10;
constexpr const char* kNone = "-";

std::string time_text(const sim::Histogram& times, std::string_view statistic) {
  const auto value = find_statistic(statistic)->read(times);
  return value && !times.empty() ? human(sim::Nanoseconds{*value}) : kNone;
}

std::string heading_of(const ComparedTimes& times) {
  return times.phase ? fmt::format("{}, {}", times.name, to_string(*times.phase)) : fmt::format("{}()", times.name);
}

template <class Cell>
std::string line(const std::string& label, const std::string& count, Cell cell) {
  std::string text = fmt::format("  {:<{}}{:>{}}", label, kLabel, count, kCount);
  for (const std::string_view statistic : kComparedStatistics) text += fmt::format(" {:>{}}", cell(statistic), kColumn);
  return text + "\n";
}

// The least and the greatest of the sittings, in one unit.
std::string range_text(const std::vector<sim::Histogram>& sittings, std::string_view statistic, bool greatest) {
  std::vector<std::int64_t> values;
  for (const sim::Histogram& each : sittings) {
    const auto value = each.empty() ? std::nullopt : find_statistic(statistic)->read(each);
    if (value) values.push_back(*value);
  }
  if (values.size() < 2) return kNone;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return human(sim::Nanoseconds{greatest ? *most : *least});
}

std::string table_of(const ComparedTimes& times) {
  std::string text = bold(heading_of(times)) + "\n";
  text += line("", "n", [](std::string_view statistic) { return std::string(find_statistic(statistic)->title); });
  text += line("real", fmt::format("{}", times.real.count()),
               [&](std::string_view statistic) { return time_text(times.real, statistic); });
  if (times.by_sitting.size() > 1) {
    for (const bool greatest : {false, true}) {
      text += line(greatest ? "  to" : "  sittings", "",
                   [&](std::string_view statistic) { return range_text(times.by_sitting, statistic, greatest); });
    }
  }
  text += line("simulated", fmt::format("{}", times.simulated.count()),
               [&](std::string_view statistic) { return time_text(times.simulated, statistic); });
  const double counts =
      times.real.empty() ? 0 : static_cast<double>(times.simulated.count()) / static_cast<double>(times.real.count());
  text += line("simulated/real", times.real.empty() ? kNone : fmt::format("{:.2f}", counts),
               [&](std::string_view statistic) {
                 const auto ratio = ratio_of(times, statistic);
                 return ratio ? fmt::format("{:.2f}", *ratio) : std::string(kNone);
               });
  if (times.real_errors + times.simulated_errors > 0) {
    text += fmt::format("  failed: {} real, {} simulated\n", times.real_errors, times.simulated_errors);
  }
  return text;
}

std::string waits_text(const std::vector<WaitShare>& waits) {
  if (waits.empty()) return "";
  std::string text = bold("Who waits: the part of the call's time that it is held up") + "\n";
  text += fmt::format("  {:<20} {:<12} {:>8} {:>10}\n", "", "during", "real", "simulated");
  for (const WaitShare& each : waits) {
    text += fmt::format("  {:<20} {:<12} {:>8.2f} {:>10.2f}{}\n", each.name, to_string(each.call), each.real,
                        each.simulated, each.agrees() ? "" : "  DIFFERS");
  }
  return text + "\n";
}

std::string score_text(const ValidationScore& score) {
  if (score.figures == 0) return "No score: nothing has samples enough on both sides.\n";
  return wrapped(
      fmt::format("Score: of {} figures {:.0f} % are within 10 %, {:.0f} % within 25 %, {:.0f} % within 50 %; the "
                  "median is off by a factor of {:.2f}, the worst ({}) by {:.3g}.",
                  score.figures, 100 * score.within_10, 100 * score.within_25, 100 * score.within_50, score.median,
                  score.worst_of, score.worst),
      page_width());
}

Json json_of(const sim::Histogram& times) {
  Json json;
  for (const NamedStatistic& statistic : kStatistics) {
    const auto value = statistic.read(times);
    json[std::string(statistic.column)] = value ? Json(*value) : Json();
  }
  return json;
}

}  // namespace

std::string to_text(const Validation& validation) {
  std::string text;
  for (const ComparedTimes& each : validation.times) text += table_of(each) + "\n";
  return text + waits_text(validation.waits) + score_text(validation.score);
}

std::string to_json_text(const Validation& validation, const ValidatedRun& ran) {
  Json json{{"schema", "mlocksim-validation/1"}};
  json["ran"] = {{"scenario", ran.scenario},
                 {"policy", ran.policy},
                 {"machine", ran.machine},
                 {"kernel", ran.kernel},
                 {"cpus", ran.cpus},
                 {"sittings", ran.sittings},
                 {"length_ns", ran.length.count()},
                 {"calibrated", ran.calibrated}};
  Json& times = json["times"] = Json::array();
  for (const ComparedTimes& each : validation.times) {
    Json entry{{each.phase ? "class" : "call", each.name}};
    if (each.phase) entry["during"] = to_string(*each.phase);
    entry["real"] = json_of(each.real);
    Json sittings = Json::array();
    for (const sim::Histogram& sitting : each.by_sitting) sittings.push_back(json_of(sitting));
    entry["sittings"] = std::move(sittings);
    entry["simulated"] = json_of(each.simulated);
    Json ratios;
    for (const std::string_view statistic : kComparedStatistics) {
      const auto ratio = ratio_of(each, statistic);
      ratios[std::string(statistic)] = ratio ? Json(*ratio) : Json();
    }
    entry["ratio"] = std::move(ratios);
    entry["distribution"] = {{"real", CoarseHistogram(each.real).to_json()},
                             {"simulated", CoarseHistogram(each.simulated).to_json()}};
    times.push_back(std::move(entry));
  }
  Json waits = Json::array();
  for (const WaitShare& each : validation.waits) {
    waits.push_back({{"class", each.name},
                     {"during", to_string(each.call)},
                     {"real", each.real},
                     {"simulated", each.simulated},
                     {"agrees", each.agrees()}});
  }
  json["waits"] = std::move(waits);
  const ValidationScore& score = validation.score;
  json["score"] = {{"figures", score.figures},    {"median_factor", score.median}, {"worst_factor", score.worst},
                   {"worst_of", score.worst_of},  {"within_10", score.within_10},  {"within_25", score.within_25},
                   {"within_50", score.within_50}};
  return json.dump(2) + "\n";
}

}  // namespace experiments
