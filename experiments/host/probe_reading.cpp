#include "experiments/host/probe_reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "experiments/base/diagnostics.h"
#include "experiments/base/json.h"
#include "experiments/base/quantity.h"

namespace experiments {

namespace {

constexpr const char* kProbeSchema = "mlocksim-probe/1";
constexpr int kMostCpus = 4096;

/// Something is not as the probe writes it.
class Foreign : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

const Json& value_of(const Json& map, std::string_view key) {
  const auto found = map.find(std::string(key));
  if (found == map.end()) throw Foreign(fmt::format("'{}' is missing", key));
  return *found;
}

const Json& map_of(const Json& map, std::string_view key) {
  const Json& value = value_of(map, key);
  if (!value.is_object()) throw Foreign(fmt::format("'{}' is no map", key));
  return value;
}

/// A number that is finite, and not below `least`.
double number_of(const Json& map, const std::string& key, double least) {
  const Json& value = value_of(map, key);
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (std::isfinite(number) && number >= least) return number;
  throw Foreign(fmt::format("'{}': expected a number of {} or more, found {}", key, least, value.dump()));
}

std::int64_t whole_number_of(const Json& map, const std::string& key, std::int64_t least, std::int64_t most) {
  const Json& value = value_of(map, key);
  if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    if (number >= least && number <= most) return number;
  }
  throw Foreign(fmt::format("'{}': expected a whole number from {} to {}, found {}", key, least, most, value.dump()));
}

std::string text_or_nothing(const Json& map, const std::string& key) {
  const Json& value = value_of(map, key);
  if (value.is_null()) return "";
  if (!value.is_string()) throw Foreign(fmt::format("'{}': expected a text, found {}", key, value.dump()));
  // It ends up in comments, a line each.
  auto text = value.get<std::string>();
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return text;
}

bool truth_of(const Json& map, const std::string& key) {
  const Json& value = value_of(map, key);
  if (!value.is_boolean()) throw Foreign(fmt::format("'{}': expected true or false, found {}", key, value.dump()));
  return value.get<bool>();
}

std::optional<double> share_or_nothing(const Json& map, const std::string& key) {
  return value_of(map, key).is_null() ? std::nullopt : std::optional(number_of(map, key, 0));
}

std::optional<models::Bytes> size_or_nothing(const Json& map, const std::string& key) {
  if (value_of(map, key).is_null()) return std::nullopt;
  return models::Bytes(whole_number_of(map, key, 0, kLargestSize.count()));
}

/// The largest cache is the last level's.
void read_caches(const Json& caches, ProbeReading& reading) {
  if (!caches.is_array()) throw Foreign("'caches' is no list");
  std::int64_t last = 1;  // level 1 alone is no last level that CPUs share
  for (const Json& cache : caches) {
    const std::int64_t level = whole_number_of(cache, "level", 1, 9);
    if (level <= last) continue;
    last = level;
    reading.llc = models::Bytes(whole_number_of(cache, "bytes", 0, kLargestSize.count()));
    reading.llc_cpus = static_cast<int>(whole_number_of(cache, "cpus", 0, kMostCpus));
  }
  if (reading.llc && reading.llc->count() == 0) reading.llc.reset();
  if (reading.llc_cpus && *reading.llc_cpus == 0) reading.llc_cpus.reset();
}

void read_host(const Json& host, ProbeReading& reading) {
  reading.kernel = text_or_nothing(host, "kernel");
  reading.distribution = text_or_nothing(host, "distribution");
  reading.cpu_model = text_or_nothing(host, "cpu_model");
  reading.cpus = static_cast<int>(whole_number_of(host, "cpus", 1, kMostCpus));
  read_caches(value_of(host, "caches"), reading);
  reading.hypervisor = truth_of(host, "hypervisor");
  reading.memory = size_or_nothing(host, "memory");
  reading.swap = size_or_nothing(host, "swap");
  reading.thp = text_or_nothing(host, "thp");
  reading.mglru = text_or_nothing(host, "mglru");
  reading.per_vma_locks = truth_of(host, "per_vma_locks");
  reading.preemption = text_or_nothing(host, "preemption");
  reading.preemption_source = text_or_nothing(host, "preemption_source");
  if (!value_of(host, "ticks_per_second").is_null()) {
    reading.ticks_per_second = static_cast<int>(whole_number_of(host, "ticks_per_second", 1, 1'000'000));
  }
  constexpr std::int64_t kHour = 3'600'000'000'000;
  for (const auto& [key, member] : {std::pair{"base_slice_ns", &ProbeReading::base_slice_ns},
                                    std::pair{"migration_cost_ns", &ProbeReading::migration_cost_ns}}) {
    if (!value_of(host, key).is_null()) reading.*member = whole_number_of(host, key, 0, kHour);
  }
  if (!value_of(host, "autogroup").is_null()) reading.autogroup = truth_of(host, "autogroup");
}

Gaps read_gaps(const Json& json) {
  Gaps gaps;
  gaps.gaps = whole_number_of(json, "gaps", 0, std::numeric_limits<std::int64_t>::max());
  const Json& lengths = value_of(json, "lengths_ns");
  if (!lengths.is_array()) throw Foreign("'lengths_ns' is no list");
  if (lengths.empty() != (gaps.gaps == 0)) throw Foreign("'lengths_ns': expected lengths where there are gaps");
  for (const Json& each : lengths) gaps.lengths_ns.push_back(number_of({{"lengths_ns", each}}, "lengths_ns", 0));
  return gaps;
}

void read_noise(const Json& list, ProbeReading& reading) {
  if (!list.is_array()) throw Foreign("'noise' is no list");
  for (const Json& each : list) {
    CpuNoise noise;
    noise.cpu = static_cast<int>(whole_number_of(each, "cpu", 0, kMostCpus));
    noise.seconds = number_of(each, "seconds", 0);
    noise.threshold_ns = number_of(each, "threshold_ns", 0);
    noise.gaps = whole_number_of(each, "gaps", 0, std::numeric_limits<std::int64_t>::max());
    noise.p50_ns = number_of(each, "p50_ns", 0);
    noise.max_ns = number_of(each, "max_ns", 0);
    noise.lost = number_of(each, "lost", 0);
    noise.interrupts = read_gaps(map_of(each, "interrupts"));
    noise.tasks = read_gaps(map_of(each, "tasks"));
    reading.noise.push_back(noise);
  }
}

std::array<double, 10> read_tenths(const Json& list, double least) {
  std::array<double, 10> tenths{};
  if (!list.is_array() || list.size() != tenths.size()) throw Foreign("'tenths' is no list of ten numbers");
  for (std::size_t tenth = 0; tenth < tenths.size(); ++tenth) {
    tenths[tenth] = number_of({{"tenths", list[tenth]}}, "tenths", tenth == 0 ? least : tenths[tenth - 1]);
  }
  return tenths;
}

// A difference of two measurements may be below zero, but nothing that takes longer than an input may say.
Quantity read_quantity(const Json& json) {
  const double longest = static_cast<double>(kLongestDuration.count());
  Quantity quantity;
  quantity.median = number_of(json, "median", -longest);
  quantity.p10 = number_of(json, "p10", -longest);
  quantity.p90 = number_of(json, "p90", quantity.p10);
  if (json.contains("p99")) quantity.p99 = number_of(json, "p99", quantity.median);
  if (json.contains("tenths")) quantity.tenths = read_tenths(json.at("tenths"), -longest);
  quantity.samples = whole_number_of(json, "n", 1, std::numeric_limits<std::int64_t>::max());
  const double last = quantity.tenths ? quantity.tenths->back() : 0;
  if (std::max({quantity.p90, quantity.p99.value_or(0), last}) > longest)
    throw Foreign("a measurement of more than 30 days");
  if (quantity.median < quantity.p10 || quantity.median > quantity.p90) {
    throw Foreign("'median' is not between 'p10' and 'p90'");
  }
  return quantity;
}

ProbeReading read_reading(const Json& json) {
  ProbeReading reading;
  read_host(map_of(json, "host"), reading);
  reading.used = models::Bytes(whole_number_of(map_of(json, "options"), "memory", 0, kLargestSize.count()));
  const Json& load = map_of(json, "load");
  reading.load_average = share_or_nothing(load, "load_average");
  reading.busy = share_or_nothing(load, "busy");
  reading.stolen = share_or_nothing(load, "stolen");
  read_noise(value_of(json, "noise"), reading);
  for (const auto& [name, quantity] : map_of(json, "quantities").items()) {
    try {
      reading.quantities[name] = read_quantity(quantity);
    } catch (const Foreign& error) {
      throw Foreign(fmt::format("'{}': {}", name, error.what()));
    }
  }
  const Json& not_measured = map_of(json, "not_measured");
  for (const auto& each : not_measured.items()) {
    reading.not_measured[each.key()] = text_or_nothing(not_measured, each.key());
  }
  return reading;
}

}  // namespace

const Quantity* find_quantity(const ProbeReading& reading, const std::string& name) {
  const auto found = reading.quantities.find(name);
  return found == reading.quantities.end() ? nullptr : &found->second;
}

std::array<double, 10> tenths_of(const Quantity& quantity) {
  if (quantity.tenths) return *quantity.tenths;
  const auto between = [](double low, double high, double place) { return low + (high - low) * place; };
  std::array<double, 10> tenths{};
  for (std::size_t tenth = 0; tenth < tenths.size(); ++tenth) {
    const double share = (static_cast<double>(tenth) + 0.5) / 10;
    if (share < 0.1) tenths[tenth] = quantity.p10;
    if (share > 0.1) tenths[tenth] = between(quantity.p10, quantity.median, (share - 0.1) / 0.4);
    if (share > 0.5) tenths[tenth] = between(quantity.median, quantity.p90, (share - 0.5) / 0.4);
    if (share > 0.9) tenths[tenth] = between(quantity.p90, quantity.p99.value_or(quantity.p90), (share - 0.9) / 0.09);
  }
  return tenths;
}

std::string nanoseconds_text(double nanoseconds) {
  return human(std::chrono::duration<double, std::nano>(nanoseconds));
}

ProbeReading parse_probe(const std::string& json, const std::string& source) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (parsed.is_discarded()) throw UsageError(fmt::format("'{}': is no JSON, or not all of it", source));
  const auto schema = parsed.is_object() ? parsed.find("schema") : parsed.end();
  if (!parsed.is_object() || schema == parsed.end()) {
    throw UsageError(fmt::format("'{}': is no JSON of mlocksim-probe: it has no 'schema'", source));
  }
  if (*schema != kProbeSchema) {
    throw UsageError(fmt::format("'{}': expected schema \"{}\", found {}", source, kProbeSchema, schema->dump()));
  }
  try {
    return read_reading(parsed);
  } catch (const Foreign& error) {
    throw UsageError(fmt::format("'{}': is no JSON that mlocksim-probe writes: {}", source, error.what()));
  }
}

std::string text_of_probe(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::error_code ignored;
  if (!stream || std::filesystem::is_directory(file, ignored)) {
    throw UsageError(fmt::format("'{}': cannot be read", file));
  }
  return {std::istreambuf_iterator<char>(stream), {}};
}

ProbeReading read_probe(const std::string& file) { return parse_probe(text_of_probe(file), file); }

}  // namespace experiments
