// How the values that results are made of are encoded in JSON. For the files that encode results: it is heavy.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "models/measure/result.h"
#include "models/spec/page.h"
#include "sim/histogram.h"
#include "sim/time.h"

namespace nlohmann {

template <>
struct adl_serializer<sim::Nanoseconds> {
  static void to_json(json& to, const sim::Nanoseconds& from) { to = from.count(); }
  static void from_json(const json& from, sim::Nanoseconds& to) { to = sim::Nanoseconds{from.get<std::int64_t>()}; }
};

template <>
struct adl_serializer<sim::Time> {
  static void to_json(json& to, const sim::Time& from) { to = from.time_since_epoch().count(); }
  static void from_json(const json& from, sim::Time& to) { to = sim::Time{sim::Nanoseconds{from.get<std::int64_t>()}}; }
};

// Nothing, or a list of one.
template <typename T>
struct adl_serializer<std::optional<T>> {
  static void to_json(json& to, const std::optional<T>& from) {
    to = json::array();
    if (from) to.push_back(*from);
  }
  static void from_json(const json& from, std::optional<T>& to) {
    to.reset();
    if (!from.empty()) to = from.at(0).get<T>();
  }
};

template <>
struct adl_serializer<models::PageCount> {
  static void to_json(json& to, const models::PageCount& from) { to = from.count(); }
  static void from_json(const json& from, models::PageCount& to) { to = models::PageCount(from.get<std::int64_t>()); }
};

template <>
struct adl_serializer<models::Bytes> {
  static void to_json(json& to, const models::Bytes& from) { to = from.count(); }
  static void from_json(const json& from, models::Bytes& to) { to = models::Bytes(from.get<std::int64_t>()); }
};

template <>
struct adl_serializer<sim::Histogram> {
  static void to_json(json& to, const sim::Histogram& from);
  static void from_json(const json& from, sim::Histogram& to);
};

}  // namespace nlohmann

namespace sim {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Histogram::Sparse, counts, sum_high, sum_low, min, max)
}  // namespace sim

namespace models {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CallRecord, duration, errors, pages)
}  // namespace models

namespace nlohmann {

inline void adl_serializer<sim::Histogram>::to_json(json& to, const sim::Histogram& from) { to = from.sparse(); }

inline void adl_serializer<sim::Histogram>::from_json(const json& from, sim::Histogram& to) {
  to = sim::Histogram::from_sparse(from.get<sim::Histogram::Sparse>());
}

}  // namespace nlohmann
