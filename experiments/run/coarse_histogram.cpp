#include "experiments/run/coarse_histogram.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <limits>

namespace experiments {

namespace {

constexpr std::uint32_t kBits = 5;  // of a value that are told apart behind its first one

std::uint32_t bucket_of(std::int64_t latency) {
  const auto value = static_cast<std::uint64_t>(latency);
  const auto width = static_cast<std::uint32_t>(std::bit_width(value));
  if (width <= kBits + 1) return static_cast<std::uint32_t>(value);
  const std::uint32_t shift = width - (kBits + 1);
  return (shift << kBits) + static_cast<std::uint32_t>(value >> shift);
}

std::int64_t highest_in(std::uint32_t bucket) {
  const std::uint32_t shift = bucket < (2U << kBits) ? 0 : (bucket >> kBits) - 1;
  const std::uint64_t lead = bucket - (shift << kBits);
  return static_cast<std::int64_t>(((lead + 1) << shift) - 1);
}

}  // namespace

CoarseHistogram::CoarseHistogram(const sim::Histogram& histogram) : count_(histogram.count()) {
  if (histogram.empty()) return;
  min_ = histogram.min().count();
  max_ = histogram.max().count();
  for (const sim::Histogram::Bucket& bucket : histogram.buckets()) {
    counts_[bucket_of(bucket.highest.count())] += bucket.count;
  }
}

void CoarseHistogram::merge(const CoarseHistogram& other) {
  if (other.count_ == 0) return;
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  for (const auto& [bucket, count] : other.counts_) counts_[bucket] += count;
}

std::vector<CoarseHistogram::Step> CoarseHistogram::steps() const {
  std::vector<Step> steps;
  std::uint64_t beyond = count_;
  for (const auto& [bucket, count] : counts_) {
    beyond -= count;
    steps.push_back({std::min(highest_in(bucket), max_), beyond});
  }
  return steps;
}

Json CoarseHistogram::to_json() const {
  Json counts = Json::array();
  for (const auto& [bucket, count] : counts_) counts.push_back({bucket, count});
  return {{"min", min_}, {"max", max_}, {"counts", counts}};
}

CoarseHistogram CoarseHistogram::from_json(const Json& json) {
  CoarseHistogram histogram;
  json.at("min").get_to(histogram.min_);
  json.at("max").get_to(histogram.max_);
  for (const Json& each : json.at("counts")) {
    const auto count = each.at(1).get<std::uint64_t>();
    const auto bucket = each.at(0).get<std::uint32_t>();
    if (bucket > bucket_of(std::numeric_limits<std::int64_t>::max())) {
      throw nlohmann::json::other_error::create(501, fmt::format("there is no bucket {}", bucket), &each);
    }
    histogram.counts_[bucket] += count;
    histogram.count_ += count;
  }
  return histogram;
}

Distributions distributions_of(const models::Result& result) {
  Distributions all;
  const auto add = [&](const std::string& name, std::string_view call, const sim::Histogram& latency) {
    if (!latency.empty()) all[{name, std::string(call)}].merge(CoarseHistogram(latency));
  };
  for (const models::ClassResult& each : result.classes) {
    for (const auto& [phase, samples] : each.during) {
      add(each.name, "total", samples.latency());
      add(each.name, to_string(models::call_of(phase)), samples.latency());
    }
  }
  return all;
}

Json to_json(const Distributions& distributions) {
  Json json = Json::object();
  for (const auto& [where, histogram] : distributions) json[where.first][where.second] = histogram.to_json();
  return json;
}

Distributions distributions_from(const Json& json) {
  Distributions all;
  for (const auto& [name, calls] : json.items()) {
    for (const auto& [call, histogram] : calls.items()) all[{name, call}] = CoarseHistogram::from_json(histogram);
  }
  return all;
}

}  // namespace experiments
