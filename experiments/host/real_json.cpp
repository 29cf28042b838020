#include "experiments/host/real_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "experiments/run/value_json.h"
#include "models/spec/competitors.h"

namespace {

constexpr std::string_view kKind = "kind";

// Each kind of a variant by a name of its own, beside its fields.
template <typename Variant, std::size_t N>
nlohmann::json to_tagged(const Variant& value, const std::array<std::string_view, N>& names) {
  static_assert(std::variant_size_v<Variant> == N, "each kind has a name");
  nlohmann::json json = std::visit([](const auto& kind) { return nlohmann::json(kind); }, value);
  json[std::string(kKind)] = names[value.index()];
  return json;
}

template <typename Variant, std::size_t N>
Variant from_tagged(const nlohmann::json& json, const std::array<std::string_view, N>& names) {
  const auto kind = json.at(std::string(kKind)).get<std::string>();
  std::optional<Variant> value;
  const auto take = [&]<std::size_t... I>(std::index_sequence<I...>) {
    ((kind == names[I] ? void(value = json.get<std::variant_alternative_t<I, Variant>>()) : void()), ...);
  };
  take(std::make_index_sequence<N>{});
  if (!value) throw std::runtime_error("unknown kind '" + kind + "'");
  return *std::move(value);
}

}  // namespace

namespace sim {

constexpr std::array<std::string_view, 5> kDistributions{"constant", "uniform", "exponential", "lognormal",
                                                         "empirical"};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Constant, value)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Uniform, low, high)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Exponential, mean)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Lognormal, median, p99)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Empirical, samples)

void to_json(nlohmann::json& to, const Distribution& from) { to = to_tagged(from.kind(), kDistributions); }

void from_json(const nlohmann::json& from, Distribution& to) {
  std::visit([&](const auto& kind) { to = Distribution(kind); }, from_tagged<Distribution::Kind>(from, kDistributions));
}

}  // namespace sim

// Who reads std::variant finds this by the library's way of looking.
namespace nlohmann {

template <>
struct adl_serializer<models::Arrival> {
  static void to_json(json& to, const models::Arrival& from);
  static void from_json(const json& from, models::Arrival& to);
};

template <>
struct adl_serializer<models::Competitor> {
  static void to_json(json& to, const models::Competitor& from);
  static void from_json(const json& from, models::Competitor& to);
};

}  // namespace nlohmann

namespace models {

constexpr std::array<std::string_view, 2> kArrivals{"closed", "open"};
constexpr std::array<std::string_view, 20> kCompetitors{
    "locker",     "faulter",        "proc_reader",   "mapper",      "madviser", "mincore", "get_mempolicy",
    "protector",  "forker",         "remote_reader", "mover",       "pinner",   "msync",   "holder",
    "khugepaged", "numa_balancing", "ksm",           "userfaultfd", "replay",   "busy"};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ClosedLoop, think, compute)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(OpenLoop, every)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ScriptStep, call, hold, size, at)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Visits, place, once, share_each)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LockerSpec, region, script, repeat)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FaulterSpec, region, arrival, by)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ProcReaderSpec, file, target, arrival, new_process)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MapperSpec, size, arrival, region, populate, visits)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MadviserSpec, region, advice, size, arrival, visits)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MincoreSpec, region, size, arrival)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MsyncSpec, region, size, arrival, visits)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GetMempolicySpec, region, node, arrival)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ProtectorSpec, region, size, arrival, visits)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ForkerSpec, arrival, vfork, child)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RemoteReaderSpec, target, pages, arrival)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MoverSpec, region, size, aligned, arrival)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PinnerSpec, region, size, by, unpin, arrival, visits)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HolderSpec, arrival)         // never in a workload
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(KhugepagedSpec, arrival)     // never in a workload
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(NumaBalancingSpec, arrival)  // never in a workload
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(KsmSpec, arrival)            // never in a workload
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(UserfaultSpec, region)       // never in a workload
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ReplaySpec, regions)         // never in a workload
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BusySpec, spin, sleep)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SchedSpec, nice, cpus, group)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ThreadSpec, name, count, run, sched, pinned, mutex)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RegionSpec, name, size, vmas, kind, pages, shares_anon_vma, locked, beside,
                                   joins_anon_vma, touched_every, folio_order, written)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ProcessSpec, name, cap_ipc_lock, rlimit_memlock, regions, threads)

void to_json(nlohmann::json& to, HoldMode from) { to = kHoldModes.at(static_cast<std::size_t>(from)); }

void from_json(const nlohmann::json& from, HoldMode& to) {
  const auto name = from.get<std::string>();
  const auto* const found = std::find(kHoldModes.begin(), kHoldModes.end(), name);
  if (found == kHoldModes.end()) throw std::runtime_error("unknown mode '" + name + "'");
  to = static_cast<HoldMode>(found - kHoldModes.begin());
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Hold, mode, batch, max_hold, if_contended, hand_over)

}  // namespace models

namespace nlohmann {

void adl_serializer<models::Arrival>::to_json(json& to, const models::Arrival& from) {
  to = to_tagged(from, models::kArrivals);
}
void adl_serializer<models::Arrival>::from_json(const json& from, models::Arrival& to) {
  to = from_tagged<models::Arrival>(from, models::kArrivals);
}
void adl_serializer<models::Competitor>::to_json(json& to, const models::Competitor& from) {
  to = to_tagged(from, models::kCompetitors);
}
void adl_serializer<models::Competitor>::from_json(const json& from, models::Competitor& to) {
  to = from_tagged<models::Competitor>(from, models::kCompetitors);
}

}  // namespace nlohmann

namespace experiments {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LockPaths, munlock, populate)

constexpr const char* kLockPaths = "lock_paths";

// lock_paths only where there are any: what has none is as it was before there were.
void to_json(nlohmann::json& to, const Workload& from) {
  to = {{"scenario", from.scenario},
        {"seed", from.seed},
        {"duration", from.duration},
        {"warm_up", from.warm_up},
        {"processes", from.processes}};
  if (from.lock_paths) to[kLockPaths] = *from.lock_paths;
}

void from_json(const nlohmann::json& from, Workload& to) {
  from.at("scenario").get_to(to.scenario);
  from.at("seed").get_to(to.seed);
  from.at("duration").get_to(to.duration);
  from.at("warm_up").get_to(to.warm_up);
  from.at("processes").get_to(to.processes);
  to.lock_paths.reset();
  if (from.contains(kLockPaths)) to.lock_paths = from.at(kLockPaths).get<LockPaths>();
}

// Phases by their names: their numbers change from version to version.
void to_json(nlohmann::json& to, const RealClass& from) {
  nlohmann::json during = nlohmann::json::object();
  for (const auto& [phase, latency] : from.during) during[std::string(to_string(phase))] = latency;
  to = {{"name", from.name},
        {"threads", from.threads},
        {"during", during},
        {"warm_up", from.warm_up},
        {"longest_warm_up", from.longest_warm_up},
        {"calls", from.calls}};
}

void from_json(const nlohmann::json& from, RealClass& to) {
  from.at("name").get_to(to.name);
  from.at("threads").get_to(to.threads);
  from.at("warm_up").get_to(to.warm_up);
  from.at("longest_warm_up").get_to(to.longest_warm_up);
  from.at("calls").get_to(to.calls);
  const nlohmann::json& during = from.at("during");
  for (auto each = during.begin(); each != during.end(); ++each) {
    const auto row = std::find_if(models::kPhases.begin(), models::kPhases.end(),
                                  [&](const models::PhaseRow& phase) { return phase.name == each.key(); });
    if (row == models::kPhases.end()) throw std::runtime_error("unknown phase '" + each.key() + "'");
    to.during[row->phase] = each->get<sim::Histogram>();
  }
}

constexpr const char* kOtherVmas = "other_vmas";

// other_vmas only where they were counted: older results have none.
void to_json(nlohmann::json& to, const Sitting& from) {
  to = {{"length", from.length}, {"busy", from.busy}, {"classes", from.classes}};
  if (!from.other_vmas.empty()) to[kOtherVmas] = from.other_vmas;
}

void from_json(const nlohmann::json& from, Sitting& to) {
  from.at("length").get_to(to.length);
  from.at("busy").get_to(to.busy);
  from.at("classes").get_to(to.classes);
  to.other_vmas = from.value(kOtherVmas, std::map<std::string, int>{});
  for (const auto& [process, vmas] : to.other_vmas) {
    constexpr int kMostVmas = 1'000'000;
    if (vmas < 0 || vmas > kMostVmas) throw std::runtime_error("no process has " + std::to_string(vmas) + " VMAs");
  }
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RealResult, workload, kernel, cpus, sittings)

namespace {

constexpr const char* kWorkloadSchema = "mlocksim-workload/1";
constexpr const char* kRealSchema = "mlocksim-real/1";

// A text under its schema, so that one version's is not taken for another's.
template <typename Value>
std::string enclose(const char* schema, const Value& value) {
  return nlohmann::json{{"schema", schema}, {"value", value}}.dump();
}

template <typename Value>
Value open(const char* schema, const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) throw std::runtime_error("is no JSON");
  const auto found = json.is_object() ? json.find("schema") : json.end();
  const std::string name = found != json.end() && found->is_string() ? found->get<std::string>() : "none";
  if (name != schema) {
    throw std::runtime_error("'schema': expected " + std::string(schema) + ", found " + name);
  }
  try {
    return json.at("value").get<Value>();
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(error.what());
  }
}

}  // namespace

std::string to_json_text(const Workload& workload) { return enclose(kWorkloadSchema, workload); }
std::string to_json_text(const RealResult& result) { return enclose(kRealSchema, result); }
std::string to_json_text(const std::vector<RealClass>& classes) { return enclose(kRealSchema, classes); }

Workload parse_workload(const std::string& text) { return open<Workload>(kWorkloadSchema, text); }
RealResult parse_real_result(const std::string& text) { return open<RealResult>(kRealSchema, text); }
std::vector<RealClass> parse_real_classes(const std::string& text) {
  return open<std::vector<RealClass>>(kRealSchema, text);
}

}  // namespace experiments
