#include "tools/probe/noise.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>
#include <utility>

#include "tools/probe/measuring.h"

namespace probe {

namespace {

struct Gaps {
  double threshold = 0;
  double seconds = 0;
  std::vector<double> interrupts;
  std::vector<double> tasks;
};

double threshold() {
  constexpr double kShortest = 1000;  // below that it is the caches
  return std::max(kShortest, 10 * clock_cost());
}

// How often this thread has lost its CPU.
long switches() {
  rusage usage{};
  check(getrusage(RUSAGE_THREAD, &usage), "getrusage");
  return usage.ru_nivcsw;
}

Gaps spin(int cpu, std::int64_t nanoseconds) {
  const OnCpu here(cpu);
  Gaps gaps{threshold(), 0, {}, {}};
  long before = switches();
  const std::int64_t start = now();
  for (std::int64_t last = start; last - start < nanoseconds;) {
    std::int64_t next = now();
    const auto length = static_cast<double>(next - last);
    if (length > gaps.threshold) {
      const long after = switches();
      const bool switched = std::exchange(before, after) != after;
      (switched ? gaps.tasks : gaps.interrupts).push_back(length);
      next = now();
    }
    last = next;
    gaps.seconds = static_cast<double>(last - start) / 1e9;
  }
  return gaps;
}

nlohmann::ordered_json summary(std::vector<double> lengths) {
  constexpr std::size_t kMost = 50;
  std::sort(lengths.begin(), lengths.end());
  const std::size_t parts = std::min(kMost, lengths.size());
  std::vector<double> means;
  for (std::size_t part = 0; part < parts; ++part) {
    const auto first = lengths.begin() + static_cast<std::ptrdiff_t>(part * lengths.size() / parts);
    const auto last = lengths.begin() + static_cast<std::ptrdiff_t>((part + 1) * lengths.size() / parts);
    means.push_back(std::accumulate(first, last, 0.0) / static_cast<double>(last - first));
  }
  return {{"gaps", lengths.size()}, {"lengths_ns", means}};
}

}  // namespace

std::vector<double> gaps_beside_a_mapper(int one, int other, std::int64_t nanoseconds) {
  (void)clock_cost();
  std::vector<double> gaps;
  for (const auto& [spinning, mapping] : {std::pair{one, other}, std::pair{other, one}}) {
    std::atomic<bool> stop{false};
    std::thread mapper([&stop, cpu = mapping] {
      const OnCpu there(cpu);
      constexpr std::size_t kLength = 4096;
      while (!stop) {
        void* const page = mmap(nullptr, kLength, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page != MAP_FAILED) munmap(page, kLength);
      }
    });
    const Gaps seen = spin(spinning, nanoseconds);
    stop = true;
    mapper.join();
    gaps.insert(gaps.end(), seen.tasks.begin(), seen.tasks.end());
  }
  return gaps;
}

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
    std::vector<double> lengths = all[i].interrupts;
    lengths.insert(lengths.end(), all[i].tasks.begin(), all[i].tasks.end());
    double lost = 0;
    for (const double length : lengths) lost += length / 1e9;
    json.push_back({{"cpu", cpus[i]},
                    {"seconds", all[i].seconds},
                    {"threshold_ns", all[i].threshold},
                    {"gaps", lengths.size()},
                    {"p50_ns", lengths.empty() ? 0 : percentile(lengths, 0.5)},
                    {"max_ns", lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end())},
                    {"lost", lost / all[i].seconds},
                    {"interrupts", summary(all[i].interrupts)},
                    {"tasks", summary(all[i].tasks)}});
  }
  return json;
}

}  // namespace probe
