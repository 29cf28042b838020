#include "experiments/study/stored_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "experiments/run/result_json.h"
#include "experiments/run/result_pack.h"
#include "experiments/run/value_json.h"

namespace experiments {

namespace {

/// `latencies`: as in the result's JSON, or null.
StoredResult::Figure figure_of(std::string name, std::string phase, const sim::Histogram& latency,
                               const Json& latencies) {
  const auto part = [&](const char* key) { return latencies.contains(key) ? latencies[key].dump() : std::string(); };
  StoredResult::Figure figure{std::move(name), std::move(phase), {}, part("blame"), part("tail_blame")};
  std::transform(kStatistics.begin(), kStatistics.end(), figure.values.begin(),
                 [&](const NamedStatistic& statistic) { return statistic.read(latency); });
  return figure;
}

/// `json`: of the class.
void add_figures(const models::ClassResult& result, const Json& json, std::vector<StoredResult::Figure>& figures) {
  figures.push_back(figure_of(result.name, "total", result.total().latency(), json.at("total")));
  const Json& during = json.at("during");
  for (const auto& item : during.items()) {
    const std::string& phase = item.key();
    const auto is_phase = [&](const auto& each) { return to_string(each.first) == phase; };
    const auto part = std::find_if(result.during.begin(), result.during.end(), is_phase);
    const auto call = std::find_if(result.during.begin(), result.during.end(),
                                   [&](const auto& each) { return to_string(call_of(each.first)) == phase; });
    const bool whole = call != result.during.end();
    figures.push_back(figure_of(result.name, phase,
                                whole ? result.during_call(call_of(call->first)).latency() : part->second.latency(),
                                item.value()));
  }
  for (const auto& [call, record] : result.calls) {
    if (!during.contains(call)) figures.push_back(figure_of(result.name, call, record.duration, nullptr));
  }
}

/// Every number in `json` that stands at a path of keys.
void add_facts(const std::string& path, const Json& json, std::vector<StoredResult::Fact>& facts) {
  for (const auto& [key, value] : json.items()) {
    const std::string name = path.empty() ? key : fmt::format("{}.{}", path, key);
    if (value.is_object()) add_facts(name, value, facts);
    if (!value.is_number()) continue;
    if (value.is_number_integer()) {
      facts.push_back({name, value.get<std::int64_t>()});
    } else {
      facts.push_back({name, value.get<double>()});
    }
  }
}

}  // namespace

// How they travel.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StoredResult::Figure, class_name, phase, values, blame, tail_blame)

void to_json(nlohmann::json& to, const StoredResult::Fact& from) {
  to = nlohmann::json::array({from.name});
  std::visit([&](auto value) { to.push_back(value); }, from.value);
}

void from_json(const nlohmann::json& from, StoredResult::Fact& to) {
  from.at(0).get_to(to.name);
  if (from.at(1).is_number_integer()) {
    to.value = from.at(1).get<std::int64_t>();
  } else {
    to.value = from.at(1).get<double>();
  }
}

StoredResult stored_result(const models::Result& result) {
  Json json = to_json(result);
  StoredResult stored{std::string(to_string(result.outcome)), {}, {}, pack(result)};
  for (const models::ClassResult& each : result.classes) {
    add_figures(each, json.at("classes").at(each.name), stored.figures);
  }
  json.erase("classes");
  json.at("engine").erase("wall_ns");
  add_facts("", json, stored.facts);
  return stored;
}

std::vector<std::uint8_t> to_bytes(const StoredResult& stored) {
  return nlohmann::json::to_cbor(nlohmann::json{{"outcome", stored.outcome},
                                                {"figures", stored.figures},
                                                {"facts", stored.facts},
                                                {"result", nlohmann::json::binary(stored.result)}});
}

StoredResult read_stored_result(const std::vector<std::uint8_t>& bytes) {
  nlohmann::json json = nlohmann::json::from_cbor(bytes);
  return {json.at("outcome").get<std::string>(), json.at("figures").get<std::vector<StoredResult::Figure>>(),
          json.at("facts").get<std::vector<StoredResult::Fact>>(), std::move(json.at("result").get_binary())};
}

}  // namespace experiments
