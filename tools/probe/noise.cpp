#include "tools/probe/noise.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "tools/probe/measuring.h"

namespace probe {

namespace {

struct Gaps {
  double threshold = 0;
  double seconds = 0;
  std::vector<double> lengths;
};

double threshold() {
  constexpr double kShortest = 1000;  // below that it is the caches
  return std::max(kShortest, 10 * clock_cost());
}

Gaps spin(int cpu, std::int64_t nanoseconds) {
  const OnCpu here(cpu);
  Gaps gaps{threshold(), 0, {}};
  const std::int64_t start = now();
  for (std::int64_t last = start; last - start < nanoseconds;) {
    const std::int64_t next = now();
    if (static_cast<double>(next - last) > gaps.threshold) gaps.lengths.push_back(static_cast<double>(next - last));
    last = next;
    gaps.seconds = static_cast<double>(last - start) / 1e9;
  }
  return gaps;
}

}  // namespace

nlohmann::ordered_json noise_of(const std::vector<int>& cpus, std::int64_t nanoseconds) {
  (void)clock_cost();  // once, and not by all threads at a time
  std::vector<Gaps> all(cpus.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    threads.emplace_back([&, i] { all[i] = spin(cpus[i], nanoseconds); });
  }
  for (std::thread& thread : threads) thread.join();
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    const std::vector<double>& lengths = all[i].lengths;
    double lost = 0;
    for (const double length : lengths) lost += length / 1e9;
    json.push_back({{"cpu", cpus[i]},
                    {"seconds", all[i].seconds},
                    {"threshold_ns", all[i].threshold},
                    {"gaps", lengths.size()},
                    {"p50_ns", lengths.empty() ? 0 : percentile(lengths, 0.5)},
                    {"max_ns", lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end())},
                    {"lost", lost / all[i].seconds}});
  }
  return json;
}

}  // namespace probe
